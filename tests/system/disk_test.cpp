// A data_dir whose file system refuses: nothing is lost, and whoever asks is told what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/system/history.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::size_t first_events = 200, all_events = 400;

// A small tmpfs as data_dir, in a mount namespace of this process, which its commands inherit.
class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs takes root";
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    fs::create_directory(site.data());
    ASSERT_EQ(::mount("tmpfs", site.data().c_str(), "tmpfs", 0, "size=8m"), 0);
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
  }
  void TearDown() override {
    if (site.up_pid() > 0) site.kill_up(SIGKILL);
    ::umount2(site.data().c_str(), MNT_DETACH);
  }
  void fill() {
    std::ofstream filler(site.data() / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
  }
  std::vector<Recorded> ran() const { return recorded(site.data() / "state/seen/record/record.log"); }

  Site site;
};

TEST_F(FullDisk, LosesNothingAndGoesOnWhenThereIsRoom) {
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-"}, history_jsonl(first_events)).exit, 0);
  ASSERT_TRUE(Site::eventually([&] { return ran().size() >= first_events; }, seconds(20))) << site.up_log();

  fill();
  const Finished refused = site.cape({"append", "history", "big", "--payload", std::string(100'000, 'p')});
  const Finished busy = site.cape({"ping", "history", "never-pinged-before", "--ack"});

  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("make room on its file system"));
  EXPECT_EQ(busy.exit, 1);
  EXPECT_THAT(busy.err, HasSubstr("make room on its file system"));
  EXPECT_EQ(site.wait_up(seconds(0)), -1) << "it goes on: " << site.up_log();

  fs::remove(site.data() / "filler");
  const std::string rest = history_jsonl(all_events).substr(history_jsonl(first_events).size());
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-"}, rest).exit, 0);
  EXPECT_TRUE(Site::eventually([&] { return ran().size() >= all_events; }, seconds(30))) << site.up_log();
  site.kill_up(SIGTERM);
  ASSERT_TRUE(site.up({"--until-idle"})) << site.up_log();
  EXPECT_EQ(site.wait_up(seconds(70)), 0) << site.up_log();
  OrderChecker checker = history_checker(all_events);
  check(checker, ran());
  checker.finish();
  EXPECT_TRUE(checker.mistakes().empty()) << text_of(checker);
}

}  // namespace
}  // namespace cape::test
