#include "tests/system/backlog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds patience{900};

constexpr const char* two_topologies = R"(
refresh = { subjects_per_s = 1000000 }
[domain.history]
source = "journal"
[topology.first]
domain = "history"
lambda.run = { plugin = "record", grant = { state = true } }
[topology.second]
domain = "history"
after = ["first"]
lambda.run = { plugin = "record", grant = { state = true } }
)";

std::string one_event_each(std::uint64_t subjects) {
  std::string lines;
  for (std::uint64_t i = 0; i < subjects; ++i)
    fmt::format_to(std::back_inserter(lines), "{{\"subject\":\"s{}\"}}\n", i);
  return lines;
}

// The most memory that the process ever had; 0: it is gone.
std::uint64_t peak_bytes(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
  return 0;
}

std::uint64_t events_done(const Site& site) {
  const Finished told = site.cape({"status", "--json"});
  return told.exit == 0 ? nlohmann::json::parse(told.out).value("events_done", std::uint64_t{0}) : 0;
}

bool is_covered(const Site& site, std::uint64_t subjects) {
  const Finished told = site.cape({"coverage", "--json"});
  const auto all = nlohmann::json::parse(told.out, nullptr, false);
  if (told.exit != 0 || !all.is_object() || !all.at("exceptions").empty()) return false;
  const auto& rows = all.at("coverage");
  return rows.size() == 2 && std::ranges::all_of(rows, [&](const auto& row) {
           return row.value("subjects", std::uint64_t{0}) == subjects && row.at("proven_to").is_string();
         });
}

void expect_it_is_proven(Site& site, std::uint64_t subjects) {
  const auto begun = steady_clock::now();
  ASSERT_TRUE(site.up()) << site.up_log();
  EXPECT_TRUE(Site::eventually([&] { return is_covered(site, subjects); }, patience))
      << site.cape({"coverage", "--json"}).out << site.up_log();
  const std::uint64_t peak = peak_bytes(site.up_pid());
  EXPECT_LT(peak, broker_bytes_max);
  std::printf("proven in %lld ms with at most %llu MiB\n",
              static_cast<long long>(
                  std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begun).count()),
              static_cast<unsigned long long>(peak >> 20));
}

}  // namespace

void expect_backlog_is_worked_off(std::uint64_t subjects) {
  Site site;
  site.configure(two_topologies);
  site.add_plugin("record");
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, one_event_each(subjects)).exit, 0);

  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_TRUE(Site::eventually([&] { return events_done(site) >= subjects * 2 / 3; }, patience))
      << site.up_log();
  const std::uint64_t first_peak = peak_bytes(site.up_pid());
  site.kill_up(SIGKILL);

  const auto begun = steady_clock::now();
  ASSERT_TRUE(site.up({"--until-idle", "--timeout", fmt::format("{}s", patience.count())})) << site.up_log();
  std::uint64_t second_peak = 0;
  int exit = -1;
  while ((exit = site.wait_up(seconds(0))) == -1 && steady_clock::now() < begun + patience) {
    second_peak = std::max(second_peak, peak_bytes(site.up_pid()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // between two looks at another process
  }
  EXPECT_EQ(exit, 0) << site.up_log();
  EXPECT_GT(second_peak, 0u);
  EXPECT_LT(std::max(first_peak, second_peak), broker_bytes_max);
  const Finished last = site.cape({"subject", "history", fmt::format("s{}", subjects - 1), "--json"});
  for (const auto& topology : nlohmann::json::parse(last.out).at("topologies"))
    EXPECT_EQ(topology.value("state", ""), "done") << last.out;
  std::printf(
      "%llu subjects: at most %llu MiB before and %llu MiB after the kill, then done in %lld ms\n",
      static_cast<unsigned long long>(subjects), static_cast<unsigned long long>(first_peak >> 20),
      static_cast<unsigned long long>(second_peak >> 20),
      static_cast<long long>(
          std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begun).count()));
  expect_it_is_proven(site, subjects);
}

}  // namespace cape::test
