// Anybody with a ZeroMQ client can watch.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "tests/system/history.hpp"
#include "tests/system/process.hpp"

namespace cape::test {
namespace {

TEST(Monitor, TellsASubscriberItsNumbersEverySecond) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)");
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "a"}).exit, 0);
  zmq::context_t context;
  zmq::socket_t watcher(context, zmq::socket_type::sub);
  watcher.set(zmq::sockopt::subscribe, "stats");
  watcher.set(zmq::sockopt::rcvtimeo, 5000);
  watcher.connect("ipc://" + (site.data() / "run" / "monitor.sock").string());

  nlohmann::json numbers;
  const bool done = Site::eventually(
      [&] {
        zmq::message_t topic, body;
        if (!watcher.recv(topic) || topic.to_string() != "stats" || !watcher.recv(body)) return false;
        const auto* bytes = body.data<std::uint8_t>();
        numbers = nlohmann::json::from_msgpack(bytes, bytes + body.size());
        return numbers.at("events_done") == 1;
      },
      std::chrono::seconds(15));

  EXPECT_TRUE(done) << numbers.dump();
  EXPECT_EQ(numbers.at("jobs_in_flight"), 0);
  EXPECT_EQ(numbers.at("latency_us").at("count"), 1);

  const bool counted = Site::eventually(
      [&] {
        zmq::message_t topic, body;
        if (!watcher.recv(topic) || !watcher.recv(body)) return false;
        const auto* bytes = body.data<std::uint8_t>();
        numbers = nlohmann::json::from_msgpack(bytes, bytes + body.size());
        return numbers.at("metrics") == nlohmann::json{{"seen.record", {{"recorded", 1.0}}}};
      },
      std::chrono::seconds(15));
  EXPECT_TRUE(counted) << numbers.dump();
}

constexpr const char* seen_topology = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)";

TEST(Monitor, CommandShowsWhatEachTopologyDoes) {
  Site site;
  site.configure(seen_topology);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-"}, history_jsonl(100)).exit, 0);

  nlohmann::json topology;
  Finished ran;
  const bool done = Site::eventually(
      [&] {
        ran = site.cape({"monitor", "--once", "--json"});
        const auto message = nlohmann::json::parse(ran.out, nullptr, false);
        if (ran.exit != 0 || !message.is_object()) return false;
        topology = message.at("topologies").at(0);
        return topology.at("events_done") == 100 && topology.at("behind") == 0 &&
               topology.at("children") == 1;
      },
      std::chrono::seconds(20));
  const Finished text = site.cape({"monitor", "--once"});

  EXPECT_TRUE(done) << ran.exit << ran.out << ran.err << site.up_log();
  EXPECT_EQ(topology.at("topology"), "seen");
  EXPECT_EQ(topology.at("jobs_in_flight"), 0);
  EXPECT_EQ(topology.at("parked"), 0);
  EXPECT_EQ(topology.at("children"), 1);
  EXPECT_LE(topology.at("sandbox_level").get<std::string>(), "B");
  EXPECT_GT(topology.at("latency_us").at("count"), 0);
  EXPECT_GT(topology.at("latency_us").at("p99"), 0);
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_NE(text.out.find("EVENTS/S"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("\nseen "), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos) << "it is no terminal";
}

TEST(Monitor, CommandGoesOnOverARestartOfTheBroker) {
  for (const Arrangement arrangement : {Arrangement::together, Arrangement::apart}) {
    Site site(arrangement);
    site.configure(seen_topology);
    site.add_plugin("record");
    ASSERT_TRUE(site.up()) << site.up_log();
    Daemon monitor(site.dir(), "monitor");
    monitor.start({"monitor", "--json", "--timeout", "60s"});
    const fs::path out = site.dir() / "io" / "monitor.out";
    const auto last_has_done = [&](int events) {
      const auto lines = lines_of(out);
      return !lines.empty() && nlohmann::json::parse(lines.back()).at("events_done") == events;
    };
    ASSERT_EQ(site.cape({"append", "history", "a"}).exit, 0);
    ASSERT_TRUE(Site::eventually([&] { return last_has_done(1); }, std::chrono::seconds(30)))
        << site.up_log();
    ASSERT_TRUE(Site::eventually(
        [&] {
          return site.cape({"subject", "history", "a", "--json"}).out.find("\"state\":\"done\"") !=
                 std::string::npos;
        },
        std::chrono::seconds(20)));
    ASSERT_EQ(site.cape({"ping", "history", "a", "--ack"}).exit, 0) << "with it the cursor is on disk";

    site.kill_up(SIGKILL);
    ASSERT_TRUE(site.up()) << site.up_log();

    EXPECT_TRUE(Site::eventually([&] { return last_has_done(0); }, std::chrono::seconds(30)))
        << name_of(arrangement) << monitor.log() << site.up_log();
    EXPECT_EQ(monitor.wait(std::chrono::milliseconds(0)), -1) << "it still runs";
  }
}

TEST(Monitor, CommandGoesOnUntilTheBrokerIsGone) {
  Site site;
  site.configure(seen_topology);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  Daemon monitor(site.dir(), "monitor");
  monitor.start({"monitor", "--json"});
  const fs::path out = site.dir() / "io" / "monitor.out";
  ASSERT_TRUE(Site::eventually([&] { return lines_of(out).size() >= 2; }, std::chrono::seconds(20)));

  site.kill_up(SIGKILL);

  EXPECT_EQ(monitor.wait(std::chrono::seconds(20)), 4) << monitor.log();
}

}  // namespace
}  // namespace cape::test
