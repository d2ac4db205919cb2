// SIGTERM: what runs may finish, but not for ever.
#include <gtest/gtest.h>
#include <signal.h>

#include "core/config/config.hpp"
#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Drain, AJobThatDoesNotFinishDelaysTheEndByTheTimeToDrainAndNoMore) {
  Site site;
  site.configure(R"(
[domain.history]
source = "journal"
[topology.stuck]
domain = "history"
[topology.stuck.lambda.guest]
plugin = "hang"
grant  = { state = true }
)");
  site.add_plugin("hang");
  ASSERT_EQ(site.cape({"append", "history", "poison"}).exit, 0);
  ASSERT_TRUE(site.up()) << site.up_log();
  const fs::path log = site.data() / "state" / "stuck" / "guest" / "record.log";
  ASSERT_TRUE(Site::eventually([&] { return lines_of(log).size() == 1; }, seconds(20))) << site.up_log();

  const auto began = std::chrono::steady_clock::now();
  ::kill(site.up_pid(), SIGTERM);
  const int exit = site.wait_up(seconds(60));
  const auto took = std::chrono::steady_clock::now() - began;

  EXPECT_EQ(exit, 0) << site.up_log();
  EXPECT_GE(took, milliseconds(drain_max_ms)) << "it may take as long";
  EXPECT_LT(took, milliseconds(drain_max_ms) + seconds(8)) << site.up_log();
  EXPECT_TRUE(Site::eventually([&] { return site.left_processes().empty(); }, seconds(5)));
}

}  // namespace
}  // namespace cape::test
