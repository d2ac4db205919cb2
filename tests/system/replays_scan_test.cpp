// A replay of many subjects: the scan that finds them is cut off again and again.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;

constexpr auto patience_of_replays = std::chrono::seconds(300);
constexpr std::size_t subjects = 20'000;  // twenty pages

constexpr const char* counting = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry = { first = "10ms" }
lambda.run = { plugin = "record", grant = { state = true } }
)";

std::string an_event_each() {
  std::string lines;
  for (std::size_t i = 0; i < subjects; ++i)
    fmt::format_to(std::back_inserter(lines), "{{\"subject\":\"s{}\"}}\n", i);
  return lines;
}

json only_replay(const Site& site) {
  const json all = json::parse(site.cape({"replay", "list", "--json"}).out, nullptr, false);
  return all.is_object() && all.contains("replays") && !all["replays"].empty() ? all["replays"][0]
                                                                               : json::object();
}

std::size_t found_by(const Site& site) {
  return only_replay(site).value("subjects", std::size_t{0});
}

bool is_scanning(const Site& site) {
  return !only_replay(site).value("scanned", true);
}

std::map<std::string, int> runs_of_replay(const Site& site) {
  std::map<std::string, int> runs;
  for (const Recorded& one : recorded(site.data() / "state" / "seen@replay" / "run" / "record.log"))
    ++runs[one.subject];
  return runs;
}

void send_to_children(const Site& site, int signal) {
  for (const pid_t pid : Site::descendants(site.up_pid())) ::kill(pid, signal);
}

// The first scan is certain to be cut off, since its source stands still; whether others are is up to chance.
TEST(ReplayOfManySubjects, GoesOnWhenItsSourceDiesInTheMidstOfItsScan) {
  Site site;
  site.configure(counting);
  site.add_plugin("record");
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, an_event_each()).exit, 0);
  ASSERT_TRUE(site.up()) << site.up_log();
  send_to_children(site, SIGSTOP);
  ASSERT_EQ(site.cape({"replay", "seen", "--from", "1", "--to", "9"}).exit, 0);
  ASSERT_TRUE(is_scanning(site)) << only_replay(site);

  int cut_off = 0;
  for (int kill = 0; kill < 4; ++kill) {
    const std::size_t before = found_by(site);
    cut_off += is_scanning(site);
    send_to_children(site, SIGKILL);
    const auto moves = [&] { return found_by(site) > before || found_by(site) == subjects; };
    ASSERT_TRUE(Site::eventually(moves, patience_of_replays)) << only_replay(site) << site.up_log();
  }
  const auto done = [&] { return only_replay(site).value("state", "") == "done"; };
  ASSERT_TRUE(Site::eventually(done, patience_of_replays)) << only_replay(site) << site.up_log();

  EXPECT_EQ(only_replay(site).value("done", std::size_t{0}), subjects) << only_replay(site);
  EXPECT_EQ(runs_of_replay(site).size(), subjects);
  std::printf("killed %d times while the source was scanned\n", cut_off);
}

}  // namespace
}  // namespace cape::test
