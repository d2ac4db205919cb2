// At rest nothing spins and hardly anything wakes up.
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <numeric>
#include <sstream>
#include <thread>

#include "tests/system/history.hpp"

namespace cape::test {
namespace {

struct Use {
  std::uint64_t voluntary_switches = 0;
  std::uint64_t cpu_ticks = 0;
};

// Of all threads of the given processes since they began.
Use use_of(const std::vector<pid_t>& pids) {
  Use use;
  for (pid_t pid : pids)
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      std::ifstream status(task.path() / "status");
      for (std::string key; status >> key;)
        if (key == "voluntary_ctxt_switches:") {
          std::uint64_t count = 0;
          status >> count;
          use.voluntary_switches += count;
        }
      std::stringstream text;
      text << std::ifstream(task.path() / "stat").rdbuf();
      std::istringstream fields(text.str().substr(text.str().rfind(')') + 1));
      std::string skipped;
      for (int i = 0; i < 11; ++i) fields >> skipped;
      std::uint64_t user = 0, system = 0;
      fields >> user >> system;
      use.cpu_ticks += user + system;
    }
  return use;
}

TEST(AtRest, AllProcessesTogetherHardlyWakeUp) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.audit]
domain = "history"
[topology.audit.lambda.write]
plugin = "audit_log"
grant  = { state = true }
[topology.ledger]
domain = "history"
[topology.ledger.lambda.write]
plugin = "audit_log"
grant  = { state = true }
)");
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-"}, history_jsonl(1000)).exit, 0);
  ASSERT_TRUE(Site::eventually(
      [&] { return audited(site.data() / "state" / "ledger" / "write").size() == 1000 &&
                   audited(site.data() / "state" / "audit" / "write").size() == 1000; },
      std::chrono::seconds(30))) << site.up_log();
  std::this_thread::sleep_for(std::chrono::seconds(2));  // what the work has left to do: a checkpoint, a sync

  std::vector<pid_t> pids = Site::descendants(site.up_pid());
  pids.push_back(site.up_pid());
  const Use before = use_of(pids);
  std::this_thread::sleep_for(std::chrono::seconds(10));  // the promise is about these seconds
  const Use after = use_of(pids);

  const double switches_per_s = static_cast<double>(after.voluntary_switches - before.voluntary_switches) / 10;
  const double cpu_s = static_cast<double>(after.cpu_ticks - before.cpu_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::printf("%zu processes: %.1f voluntary switches/s, %.2f s of CPU in 10 s\n", pids.size(), switches_per_s, cpu_s);
  EXPECT_LE(switches_per_s, 20);
  EXPECT_LE(cpu_s, 0.3);
}

}  // namespace
}  // namespace cape::test
