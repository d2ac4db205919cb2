// What `cape` asks of a running broker and shows of its answers; the broker is a fake.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cape_process.hpp"
#include "tests/cli/fake_broker.hpp"

namespace cape::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class CapeWithBroker : public testing::Test {
 protected:
  CapeWithBroker() { cape.write("cape.toml", small_config); }

  FakeAnswers answers() {
    return {.admin = [this](const wire::AdminRequest& request) { return admin(request); },
            .ping = [this](const wire::Ping& ping) { return last_ping = ping, ping_reply; }};
  }
  wire::AdminReply admin(const wire::AdminRequest& request) {
    last_request = request;
    return reply;
  }

  CapeProcess cape;
  wire::AdminReply reply{true, "{}"};  // both are set before the broker starts or read after cape has ended
  wire::PingReply ping_reply;
  wire::AdminRequest last_request;
  wire::Ping last_ping;
};

TEST_F(CapeWithBroker, SubjectShowsWhatTheBrokerAnswers) {
  reply.body = R"({"domain":"history","subject":"a","latest":9,"topologies":[
      {"topology":"audit","cursor":7,"state":"backing_off","attempt":3,"reason":"index is locked\u001b[2J"}]})";
  const FakeBroker broker(cape.directory() / "data", answers());

  const Ran as_json = cape.run({"subject", "history", "a", "--json"});
  const Ran text = cape.run({"subject", "history", "a"});

  EXPECT_EQ(as_json.exit, 0) << as_json.err;
  EXPECT_EQ(json::parse(as_json.out, nullptr, false), json::parse(reply.body));
  EXPECT_EQ(as_json.err, "");
  EXPECT_EQ(last_request.method, "subject");
  EXPECT_EQ(json::parse(last_request.body), (json{{"domain", "history"}, {"subject", "a"}}));
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("latest 9"), HasSubstr("backing_off"), HasSubstr("index is locked\\x1B[2J")));
}

TEST_F(CapeWithBroker, RefusalIsShownWithItsReason) {
  reply = {false, R"({"error":"no such thing\u0007","code":"not_found"})"};
  const FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"subject", "history", "a", "--json"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(json::parse(ran.out, nullptr, false),
            (json{{"error", {{"code", "failed"}, {"exit", 1}, {"message", "no such thing\\x07"}}}}));
  EXPECT_THAT(ran.err, HasSubstr("no such thing\\x07"));
}

TEST_F(CapeWithBroker, BackslashesOfReasonsAreShownAsTheyAre) {
  reply.body = R"({"domain":"history","subject":"a","latest":1,"topologies":[
      {"topology":"audit","cursor":0,"state":"parked","attempt":1,"reason":"no file C:\\a\\b\\x1B[2J"}]})";
  const FakeBroker broker(cape.directory() / "data", answers());

  EXPECT_THAT(cape.run({"subject", "history", "a"}).out, HasSubstr("no file C:\\a\\b\\x1B[2J"));

  reply = {false, R"({"error":"subject 'a\\x1Bb' is odd","code":"invalid"})"};
  EXPECT_THAT(cape.run({"subject", "history", "a"}).err, HasSubstr("subject 'a\\x1Bb' is odd"));
}

TEST_F(CapeWithBroker, AnswerThatIsNoObjectIsRefused) {
  for (const char* body : {"", "[]", "{\"a\":", "7"}) {
    reply.body = body;
    const FakeBroker broker(cape.directory() / "data", answers());

    const Ran ran = cape.run({"status"});

    EXPECT_EQ(ran.exit, 1) << body;
    EXPECT_THAT(ran.err, HasSubstr("not a JSON object")) << body;
  }
}

TEST_F(CapeWithBroker, StatusIsOneLineACounterForScripts) {
  reply.body = R"({"events_done":12,"sandbox_level":"B","latency_us":{"p50":85.5,"p95":120,"p99":250}})";
  const FakeBroker broker(cape.directory() / "data", answers());

  EXPECT_EQ(cape.run({"status"}).out,
            "events_done     12\n"
            "sandbox_level   B\n"
            "latency_us.p50  85.5\n"
            "latency_us.p95  120\n"
            "latency_us.p99  250\n");
  EXPECT_EQ(last_request.body, "{}");

  cape.run({"status", "--reset-latency"});
  EXPECT_EQ(json::parse(last_request.body), (json{{"reset_latency", true}}));
}

TEST_F(CapeWithBroker, PluginsShowTheirChildrenAndWhatIsSetAside) {
  reply.body =
      R"({"plugins":[{"id":"audit_log","version":"1.0.0","hash":"9f2c","file":"audit_log.so","state":"serving",
      "kind":"lambda","children":[{"pid":41,"level":"B","lambda":"audit.write","restarts":2,"missing":"cgroup: none"}]}],
      "set_aside":[{"file":"bad.so","hash":"00ff","reason":"no manifest"}]})";
  const FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"plugin", "list"});

  EXPECT_EQ(last_request.method, "plugins");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("audit_log  1.0.0"), HasSubstr("audit.write"),
                             HasSubstr("cgroup: none"), HasSubstr("bad.so"), HasSubstr("no manifest")));
}

TEST_F(CapeWithBroker, TopologiesOfANewerBrokerAreShownAsFarAsTheyAreKnown) {
  reply.body = R"({"topologies":[{"topology":"audit","behind":null,"lambdas":[],"mode":{"a":1}}, 7]})";
  const FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"topology", "list"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(last_request.method, "topologies");
  EXPECT_THAT(ran.out, HasSubstr("audit"));
}

TEST_F(CapeWithBroker, PingArrives) {
  FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"ping", "history", "a", "--sequence", "7"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  const auto ping = broker.pushed();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->domain, "history");
  EXPECT_EQ(ping->subject, "a");
  EXPECT_EQ(ping->hint, 7);
}

TEST_F(CapeWithBroker, PingWithAckWaitsForTheAnswer) {
  const FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"ping", "history", "a", "--ack", "--json"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(json::parse(ran.out, nullptr, false)["answer"], "acknowledged");
  EXPECT_EQ(last_ping.subject, "a");
}

TEST_F(CapeWithBroker, PingThatIsNotTakenExitsWith1AndTheReason) {
  for (const auto answer : {wire::PingAnswer::busy, wire::PingAnswer::refused}) {
    ping_reply = {answer, "because"};
    const FakeBroker broker(cape.directory() / "data", answers());

    const Ran ran = cape.run({"ping", "history", "a", "--ack"});

    EXPECT_EQ(ran.exit, 1);
    EXPECT_THAT(ran.err, HasSubstr("because"));
  }
}

TEST_F(CapeWithBroker, AppendPingsOnceForEachSubjectOfALoad) {
  FakeBroker broker(cape.directory() / "data", answers());

  const Ran ran = cape.run({"append", "history", "--jsonl", "-"},
                           "{\"subject\":\"a\"}\n{\"subject\":\"b\"}\n{\"subject\":\"a\"}\n");

  EXPECT_EQ(ran.exit, 0) << ran.err;
  const auto first = broker.pushed(), second = broker.pushed();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->subject + second->subject, "ab");
  EXPECT_EQ(first->hint, 2);
}

TEST_F(CapeWithBroker, AppendTellsNobodyWhenAskedNotTo) {
  FakeBroker broker(cape.directory() / "data", answers());

  ASSERT_EQ(cape.run({"append", "history", "quiet", "--no-ping"}).exit, 0);
  ASSERT_EQ(cape.run({"append", "history", "loud"}).exit, 0);

  const auto ping = broker.pushed();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->subject, "loud");
}

}  // namespace
}  // namespace cape::cli
