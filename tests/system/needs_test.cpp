// A topology of four lambdas that fans out and in, over real children, through kill -9 at seeded moments of
// the whole `cape up` and of single children: each lambda gets of every event what those it needs gave for
// it, in order, and in the end each has run every event. CAPE_SEED repeats a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <sstream>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

constexpr int subjects = 40;
constexpr std::int64_t events_each = 20;
constexpr int kills = 12;

// Little room for outputs, so that some are dropped.
constexpr const char* fork_and_join = R"(
outputs_bytes_max = "1MiB"
[domain.history]
source = "journal"
[topology.woven]
domain = "history"
retry  = { first = "10ms" }
batch_events = 4
outputs_bytes_max = "4KiB"
[topology.woven.lambda.join]
plugin = "weave"
needs  = ["left", "right"]
config = { name = "join", from = "left right", sleep_us = 100 }
grant  = { state = true }
[topology.woven.lambda.left]
plugin = "weave"
needs  = ["up"]
config = { name = "left", from = "up" }
grant  = { state = true }
[topology.woven.lambda.right]
plugin = "weave"
needs  = ["up"]
config = { name = "right", from = "up", sleep_us = 300 }
grant  = { state = true }
[topology.woven.lambda.up]
plugin = "weave"
config = { name = "up", skip = 5 }
grant  = { state = true }
)";

const std::vector<std::string> lambdas{"up", "left", "right", "join"};

std::uint64_t seed() {
  const char* given = std::getenv("CAPE_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::string history() {
  std::string lines;
  for (std::int64_t sequence = 1; sequence <= events_each; ++sequence)
    for (int subject = 0; subject < subjects; ++subject)
      lines += "{\"subject\":\"s" + std::to_string(subject) + "\",\"sequence\":" + std::to_string(sequence) +
               ",\"type\":\"t\",\"payload\":\"p\"}\n";
  return lines;
}

std::string text_of(const std::string& lambda, std::int64_t sequence) {
  const std::string up = sequence % 5 == 0 ? "" : "up:" + std::to_string(sequence) + "<>";
  const std::string head = lambda + ":" + std::to_string(sequence) + "<";
  if (lambda == "up") return head + ">";
  if (lambda != "join") return head + up + ">";
  return head + text_of("left", sequence) + "|" + text_of("right", sequence) + ">";
}

class Needs : public ::testing::Test {
 protected:
  fs::path log(const std::string& lambda) const {
    return site_.data() / "state" / "woven" / lambda / "weave.log";
  }
  std::size_t ran() const {
    std::size_t lines = 0;
    for (const std::string& lambda : lambdas) lines += lines_of(log(lambda)).size();
    return lines;
  }

  // Every line is what the lambda had to be given; first occurrences rise; in the end all events are there.
  void check(const std::string& lambda) const {
    std::map<std::string, std::int64_t> highest;
    for (const std::string& line : lines_of(log(lambda))) {
      std::istringstream in(line);
      std::string subject, text;
      std::int64_t sequence = 0;
      in >> subject >> sequence >> text;
      ASSERT_EQ(text, text_of(lambda, sequence)) << lambda << ": " << line;
      ASSERT_LE(sequence, highest[subject] + 1) << lambda << " passed over an event: " << line;
      highest[subject] = std::max(highest[subject], sequence);
    }
    EXPECT_EQ(highest.size(), static_cast<std::size_t>(subjects)) << lambda;
    for (const auto& [subject, sequence] : highest)
      EXPECT_EQ(sequence, events_each) << lambda << " of " << subject;
  }

  Site site_;
};

TEST_F(Needs, EachLambdaGetsWhatTheOthersGaveThroughKills) {
  const std::uint64_t chosen = seed();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(chosen) +
               " ./run test -L system -R Needs.EachLambdaGetsWhatTheOthersGaveThroughKills");
  std::mt19937_64 random(chosen);
  site_.configure(fork_and_join);
  site_.add_plugin("weave");
  ASSERT_EQ(site_.cape({"append", "history", "--jsonl", "-", "--no-ping"}, history()).exit, 0);

  ASSERT_TRUE(site_.up()) << site_.up_log();
  for (int kill = 0; kill < kills; ++kill) {
    const std::size_t until = ran() + random() % 200 + 1;
    if (until >= lambdas.size() * subjects * events_each) break;
    ASSERT_TRUE(Site::eventually([&] { return ran() >= until; }, std::chrono::seconds(60)))
        << "stuck at " << ran() << " runs before kill " << kill << "\n"
        << site_.up_log();
    const std::vector<pid_t> children = Site::descendants(site_.up_pid());
    if (random() % 2 == 0 && !children.empty()) {
      ::kill(children[random() % children.size()], SIGKILL);
      continue;
    }
    site_.kill_up(SIGKILL);
    ASSERT_TRUE(site_.up()) << site_.up_log();
  }
  site_.kill_up(SIGTERM);
  ASSERT_TRUE(site_.up({"--until-idle", "--timeout", "120s"})) << site_.up_log();
  EXPECT_EQ(site_.wait_up(std::chrono::seconds(130)), 0) << site_.up_log();

  for (const std::string& lambda : lambdas) check(lambda);
  std::printf("seed %llu: %zu runs of %zu events\n", static_cast<unsigned long long>(chosen), ran(),
              lambdas.size() * subjects * events_each);
}

TEST_F(Needs, LambdaThatNoHostHasTheLabelsForWaitsAndWhyNamesThem) {
  site_.configure(R"(
[domain.history]
source = "journal"
[host]
labels = { zone = "us" }
[topology.woven]
domain = "history"
[topology.woven.lambda.up]
plugin = "weave"
config = { name = "up" }
grant  = { state = true }
[topology.woven.lambda.down]
plugin = "weave"
needs  = ["up"]
where  = { zone = "eu" }
config = { name = "down", from = "up" }
grant  = { state = true }
)");
  site_.add_plugin("weave");
  ASSERT_EQ(site_.cape({"append", "history", "a", "--sequence", "1", "--no-ping"}).exit, 0);
  ASSERT_TRUE(site_.up()) << site_.up_log();

  Finished why;
  EXPECT_TRUE(Site::eventually(
      [&] {
        why = site_.cape({"why", "history", "a", "--json"});
        return why.out.contains("zone = \\\"eu\\\"") && lines_of(log("up")).size() == 1;
      },
      std::chrono::seconds(30)))
      << why.out << why.err;

  EXPECT_THAT(why.out, testing::HasSubstr("\"no_host\""));
  EXPECT_TRUE(lines_of(log("down")).empty());
}

}  // namespace
}  // namespace cape::test
