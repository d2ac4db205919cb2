#include "tests/system/leaks.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

constexpr int subjects = 100;
constexpr std::uint64_t memory_bytes = 128u << 20;

std::string lines_of_events(int events) {
  std::string lines;
  for (int i = 0; i < events; ++i)
    lines += fmt::format("{{\"subject\":\"s{}\",\"payload\":\"p\"}}\n", i % subjects);
  return lines;
}

int times_told(const std::string& log, const std::string& what) {
  int count = 0;
  for (std::size_t at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++count;
  return count;
}

}  // namespace

void expect_leak_is_recycled(const Leak& leak) {
  Site site;
  site.configure(fmt::format(R"(
[domain.history]
source = "journal"
[topology.t]
domain = "history"
retry = {{ first = "10ms", max = "100ms" }}
[topology.t.lambda.guest]
plugin = "leaks"
config = {{ bytes = {} }}
children_max = 1
limits = {{ memory = "128MiB" }}
)",
                             leak.bytes));
  site.add_plugin("leaks");
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, lines_of_events(leak.events)).exit,
            0);

  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "600s"})) << site.up_log();
  EXPECT_EQ(site.wait_up(std::chrono::seconds(620)), 0) << "not every event was processed\n" << site.up_log();

  const std::uint64_t leaked = static_cast<std::uint64_t>(leak.events) * leak.bytes;
  const int replaced = times_told(site.up_log(), "is replaced: it");
  const int in_vain = times_told(site.up_log(), "is replaced: an event of it ended with NO_MEMORY");
  std::printf("%llu MiB leaked, %d children replaced before their limit, %d at it\n",
              static_cast<unsigned long long>(leaked >> 20), replaced, in_vain);
  EXPECT_GE(static_cast<std::uint64_t>(replaced + in_vain), leaked / memory_bytes) << site.up_log();
  EXPECT_TRUE(site.left_processes().empty());
}

}  // namespace cape::test
