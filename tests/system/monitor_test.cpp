// Anybody with a ZeroMQ client can watch.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "tests/system/history.hpp"

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

}  // namespace
}  // namespace cape::test
