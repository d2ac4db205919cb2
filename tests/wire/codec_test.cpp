#include "wire/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/wire/samples.hpp"

namespace cape::wire {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

// Every sample as bytes, with the decoder it is meant for.
struct Encoded {
  std::string bytes;
  std::function<Result<std::string>(std::string_view)> decode_and_encode;
};

template <class Message, class Decode>
void add(std::vector<Encoded>& out, const std::vector<Message>& messages, Decode decode) {
  const auto decode_and_encode = [decode](std::string_view bytes) -> Result<std::string> {
    const auto message = decode(bytes);
    if (!message) return std::unexpected(message.error());
    return encode(*message);
  };
  for (const Message& message : messages) out.push_back({encode(message), decode_and_encode});
}

std::vector<Encoded> all_samples() {
  std::vector<Encoded> out;
  add(out, test::pings(), decode_ping);
  add(out, test::ping_replies(), decode_ping_reply);
  add(out, test::admin_requests(), decode_admin_request);
  add(out, test::admin_replies(), decode_admin_reply);
  add(out, test::to_broker(), decode_to_broker);
  add(out, test::to_host(), decode_to_host);
  return out;
}

TEST(Codec, EveryMessageComesBackAsItWas) {
  for (const Encoded& sample : all_samples()) {
    const auto again = sample.decode_and_encode(sample.bytes);

    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, sample.bytes);
  }
}

TEST(Codec, EveryTruncationIsRefused) {
  for (const Encoded& sample : all_samples())
    for (std::size_t size = 0; size<sample.bytes.size(); size += sample.bytes.size()> 4096 ? 997 : 1) {
      const auto cut = sample.decode_and_encode(std::string_view(sample.bytes).substr(0, size));
      ASSERT_FALSE(cut) << size << " of " << sample.bytes.size() << " bytes";
      EXPECT_EQ(cut.error().code, ErrorCode::protocol);
    }
}

TEST(Codec, BytesBehindTheEndAreRefused) {
  for (const Encoded& sample : all_samples()) {
    const auto longer = sample.decode_and_encode(sample.bytes + '\x01');
    ASSERT_FALSE(longer);
    EXPECT_THAT(longer.error().message, HasSubstr("bytes behind its end"));
  }
}

TEST(Codec, OtherDecodersRefuseTheMessage) {
  const std::string ping = encode(Ping{"history", "a", 0});

  EXPECT_FALSE(decode_ping_reply(ping));
  EXPECT_FALSE(decode_admin_request(ping));
  EXPECT_FALSE(decode_admin_reply(ping));
  EXPECT_THAT(decode_to_broker(ping).error().message, HasSubstr("not one that a host sends"));
  EXPECT_THAT(decode_to_host(ping).error().message, HasSubstr("not one that a broker sends"));
  EXPECT_FALSE(decode_to_host(encode(ToBroker(HostGoodbye{1}))));
}

// docs/protocol.md shows these bytes; other people's clients make them.
TEST(Codec, PingIsTheBytesThatTheDocumentationShows) {
  EXPECT_EQ(encode(Ping{"history", "user/1", 42}), "\x95\x01\x01\xA7history\xA6user/1\x2A"s);
  EXPECT_EQ(encode(PingReply{PingAnswer::busy, "full"}),
            "\x94\x01\x02\x01\xA4"
            "full"s);
}

TEST(Codec, ReasonNamesTheField) {
  const auto reason = [](std::string_view bytes) { return decode_ping(bytes).error().message; };

  EXPECT_EQ(reason(""), "the message is empty");
  EXPECT_EQ(reason("\x01"s), "message: expected an array [version, type, ...]");
  EXPECT_EQ(reason("\x95\x02\x01\xA1"
                   "d\xA1s\x00"s),
            "message.version: 2 is not known here; expected 1");
  EXPECT_EQ(reason("\x95\x01\x09\xA1"
                   "d\xA1s\x00"s),
            "message.type: expected 1, found 9");
  EXPECT_EQ(reason("\x94\x01\x01\xA1"
                   "d\xA1s"s),
            "ping: expected 3 fields, found 2");
  EXPECT_EQ(reason("\x96\x01\x01\xA1"
                   "d\xA1s\x00\x00"s),
            "ping: expected 3 fields, found 4");
  EXPECT_EQ(reason("\x95\x01\x01\x05\xA1s\x00"s), "ping.domain: expected a string, found an integer");
  EXPECT_EQ(reason("\x95\x01\x01\xA1"
                   "D\xA1s\x00"s),
            "ping.domain: not a name; names are made of a-z, 0-9 and _");
  EXPECT_EQ(reason("\x95\x01\x01\xA1"
                   "d\xA0\x00"s),
            "ping.subject: the subject is empty; it takes 1 to 255 bytes");
  EXPECT_EQ(reason("\x95\x01\x01\xA1"
                   "d\xA1\xFF\x00"s),
            "ping.subject: not UTF-8");
  EXPECT_THAT(reason("\x95\x01\x01\xA1"
                     "d\xA1s\xFF"s),
              HasSubstr("ping.hint: expected an integer from 0"));
  EXPECT_EQ(reason("\x95\x01\x01\xA1"
                   "d\xA1s\xC0"s),
            "ping.hint: expected an integer, found nil");
  EXPECT_EQ(reason("\x95\x01\x01\xA1"
                   "d\xA1s\xCB........"s),
            "the message holds a floating point number; no message has one");
  EXPECT_EQ(reason("\x81\x01\x01"s), "the message holds a map; every message is made of arrays");
  EXPECT_EQ(reason("\xD4\x01\x01"s), "the message holds a msgpack extension; no message has one");
  EXPECT_EQ(reason("\xC1"s), "the message is not msgpack");
}

TEST(Codec, LimitsAreTheLastValuesTaken) {
  EXPECT_FALSE(decode_ping(encode(Ping{"d", std::string(subject_bytes_max + 1, 'x'), 0})));
  EXPECT_FALSE(
      decode_ping_reply(encode(PingReply{PingAnswer::busy, std::string(reason_bytes_max + 1, 'x')})));
  EXPECT_FALSE(
      decode_admin_request(encode(AdminRequest{"m", std::string(admin_request_bytes_max + 1, 'x')})));
  EXPECT_FALSE(decode_to_broker(encode(ToBroker(HostHello{"h", 1, 0, {}, {}})))) << "session 0 is none";
  EXPECT_FALSE(decode_to_broker(encode(ToBroker(HostHello{"h", 0, 1, {}, {}})))) << "home 0 is none";
  EXPECT_TRUE(decode_to_broker(
      encode(ToBroker(JobStatuses{1, std::vector<JobStatus>(4096, JobStatus{.job = 1, .end = {}})}))));
  EXPECT_THAT(
      decode_to_broker(encode(ToBroker(JobStatuses{1, std::vector<JobStatus>(4097)}))).error().message,
      HasSubstr("statuses: 4097 elements, at most 4096 are allowed"));
  EXPECT_FALSE(decode_ping_reply("\x94\x01\x02\x03\xA0"s)) << "no such answer";
}

TEST(Codec, StatusWithAnUnknownOutcomeIsRefused) {
  JobStatus status{.job = 1, .end = {static_cast<OutcomeKind>(-42), ""}};

  EXPECT_THAT(decode_to_broker(encode(ToBroker(JobStatuses{1, {status}}))).error().message,
              HasSubstr("statuses[].end.kind: no outcome has this number"));
}

TEST(Codec, JobCarriesItsEventsAndNoOthersOfTheBlock) {
  const auto decoded = decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(3, 5)}})));

  ASSERT_TRUE(decoded) << decoded.error().message;
  const EventRange& events = std::get<RunJobs>(*decoded).jobs.at(0).events;
  ASSERT_EQ(events.count, 3u);
  ASSERT_EQ(events.block->entries.size(), 3u);
  EXPECT_EQ(events.first_sequence(), 10);
  EXPECT_EQ(events.last_sequence(), 14);
  EXPECT_EQ(events.block->proven_from, 10);
  EXPECT_EQ(events.block->proven_to, 14);
  EXPECT_EQ(events.block->type_of(events[0]), "type");
  EXPECT_EQ(events.block->payload_of(events[2]), std::string(5, '\xFF'));
  EXPECT_EQ(events[1].time_ns, INT64_MIN + 1);
}

TEST(Codec, LargestJobIsTakenAndOneEventMoreIsNot) {
  EXPECT_TRUE(decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(events_per_job_max, 16)}}))));
  EXPECT_TRUE(decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(1, payload_bytes_ceiling)}}))));

  EXPECT_FALSE(decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(events_per_job_max + 1, 0)}}))));
  EXPECT_FALSE(decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(1, payload_bytes_ceiling + 1)}}))));
  EXPECT_THAT(decode_to_host(encode(ToHost(RunJobs{1, {test::run_job(0, 0)}}))).error().message,
              HasSubstr("a job has at least one event"));
}

TEST(Codec, EventsThatDoNotRiseAreRefused) {
  std::string bytes = encode(ToHost(RunJobs{1, {test::run_job(2, 0)}}));
  const std::size_t second = bytes.rfind("\x94\x0C"s);  // [12, ...: the second event
  ASSERT_NE(second, std::string::npos);
  bytes[second + 1] = 10;

  EXPECT_THAT(decode_to_host(bytes).error().message, HasSubstr("jobs[].events[].sequence: does not rise"));
}

TEST(Codec, OutputsAreOneForEachEventThatIsDone) {
  JobStatus status{.job = 1, .done_to = 7, .events_done = 2, .end = {}};
  status.outputs = {std::make_shared<const std::string>("a"), nullptr};
  const auto decoded = decode_to_broker(encode(ToBroker(JobStatuses{1, {status}})));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& outputs = std::get<JobStatuses>(*decoded).statuses.at(0).outputs;
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(*outputs[0], "a");
  EXPECT_EQ(outputs[1], nullptr);

  status.events_done = 3;

  EXPECT_THAT(decode_to_broker(encode(ToBroker(JobStatuses{1, {status}}))).error().message,
              HasSubstr("statuses[].outputs: not one for each event that is done"));
}

TEST(Codec, InputsAreOneForEachEventOfTheJob) {
  RunJob job = test::run_job(2, 1);
  job.inputs = {{.lambda = "a", .outputs = {nullptr, std::make_shared<const std::string>("b")}}};
  const auto decoded = decode_to_host(encode(ToHost(RunJobs{1, {job}})));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const std::vector<JobInput>& inputs = std::get<RunJobs>(*decoded).jobs.at(0).inputs;
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs[0].lambda, "a");
  EXPECT_EQ(*inputs[0].outputs.at(1), "b");

  job.inputs[0].outputs.pop_back();

  EXPECT_THAT(decode_to_host(encode(ToHost(RunJobs{1, {job}}))).error().message,
              HasSubstr("jobs[].inputs[].outputs: not one for each event of the job"));
}

TEST(Codec, DeepNestingIsRefusedBeforeItCostsStack) {
  const std::string deep(1 << 20, '\x91');

  EXPECT_EQ(decode_ping(deep).error().message, "the message is nested too deep");
}

TEST(Codec, ReasonRepeatsNothingOfThePeersText) {
  const auto refused = decode_ping(encode(Ping{"\x1B[2Jevil", "s", 0}));

  EXPECT_EQ(refused.error().message.find("evil"), std::string::npos);
}

}  // namespace
}  // namespace cape::wire
