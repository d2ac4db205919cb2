// Files of a data_dir that vanish or can no longer be written while Cape runs: whoever asks is told which
// file it is and what to do, the rest goes on or ends in order, and once it is put right nothing is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class LostFiles : public testing::Test {
 protected:
  LostFiles() {
    site.configure(R"(
[domain.history]
source = "journal"
[domain.other]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
[topology.beside]
domain = "other"
[topology.beside.lambda.record]
plugin = "record"
grant  = { state = true }
)");
    site.add_plugin("record");
  }
  ~LostFiles() override {
    if (site.up_pid() > 0) site.kill_up(SIGKILL);
  }
  void append(const std::string& domain, const std::string& subject) const {
    const Finished ran = site.cape({"append", domain, subject});
    ASSERT_EQ(ran.exit, 0) << ran.err;
  }
  // "a1 a2": subject and sequence of everything that a topology ran, in order.
  std::vector<std::string> ran(const std::string& topology) const {
    std::vector<std::string> all;
    for (const Recorded& r : recorded(site.data() / "state" / topology / "record" / "record.log"))
      all.push_back(r.subject + std::to_string(r.sequence));
    return all;
  }
  bool runs(const std::string& topology, const std::vector<std::string>& events) const {
    return Site::eventually([&] { return ran(topology) == events; }, seconds(30));
  }
  std::size_t times_logged(const std::string& text) const {
    const std::string log = site.up_log();
    std::size_t times = 0;
    for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos; at += text.size()) ++times;
    return times;
  }
  std::int64_t uptime_s() const {
    const auto status = nlohmann::json::parse(site.cape({"status", "--json"}).out, nullptr, false);
    return status.is_object() ? status.at("uptime_s").get<std::int64_t>() : -1;
  }
  void end_idle() {
    ASSERT_TRUE(site.up({"--until-idle"})) << site.up_log();
    EXPECT_EQ(site.wait_up(seconds(70)), 0) << site.up_log();
  }
  fs::path journal() const { return site.data() / "journal/history/events.db"; }
  fs::path store() const { return site.data() / "cape.db"; }
  // As if somebody had deleted the log, too, to begin anew.
  static void remove_log(const fs::path& database) {
    fs::remove(database.string() + "-wal");
    fs::remove(database.string() + "-shm");
  }

  Site site;
};

TEST_F(LostFiles, JournalThatIsAwayTakesNothingUntilItIsBackAndOtherDomainsGoOn) {
  ASSERT_TRUE(site.up()) << site.up_log();
  append("history", "a");
  append("other", "a");
  ASSERT_TRUE(runs("seen", {"a1"}) && runs("beside", {"a1"})) << site.up_log();

  fs::rename(journal(), site.dir() / "away");
  const Finished refused = site.cape({"append", "history", "a"});
  append("other", "a");

  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(journal().string() + " was deleted while it was in use"),
                                 HasSubstr("put the same file back")));
  EXPECT_FALSE(fs::exists(journal())) << "an empty one would pass for it";
  EXPECT_TRUE(runs("beside", {"a1", "a2"})) << site.up_log();
  const std::string logged = "domain 'history': " + journal().string() + " was deleted or replaced";
  EXPECT_TRUE(Site::eventually([&] { return times_logged(logged) > 0; }, seconds(20))) << site.up_log();
  const std::int64_t seen_s = uptime_s();
  EXPECT_TRUE(Site::eventually([&] { return uptime_s() >= seen_s + 3; }, seconds(30)));
  EXPECT_EQ(times_logged(logged), 1u) << "it is looked at each second";

  fs::rename(site.dir() / "away", journal());
  append("history", "a");
  EXPECT_TRUE(runs("seen", {"a1", "a2"})) << site.up_log();
  site.kill_up(SIGTERM);
  end_idle();
  EXPECT_THAT(ran("seen"), ElementsAre("a1", "a2"));
  EXPECT_THAT(ran("beside"), ElementsAre("a1", "a2"));
}

TEST_F(LostFiles, JournalThatWasDeletedIsMadeAnewOnlyWhenSomebodySaysSo) {
  ASSERT_TRUE(site.up()) << site.up_log();
  append("history", "a");
  append("history", "a");
  ASSERT_TRUE(runs("seen", {"a1", "a2"})) << site.up_log();
  fs::remove(journal());
  site.kill_up(SIGTERM);

  const Finished start = site.cape({"up", "--until-idle"});
  EXPECT_EQ(start.exit, 1);
  EXPECT_THAT(start.err, HasSubstr(journal().string() + " was deleted while it was in use"));

  remove_log(journal());
  append("history", "b");
  ASSERT_TRUE(site.up()) << site.up_log();
  append("history", "a");
  EXPECT_TRUE(runs("seen", {"a1", "a2", "b1"})) << site.up_log();
  const bool parked = Site::eventually(
      [&] {
        return site.cape({"subject", "history", "a", "--json"}).out.find("source_went_back") !=
               std::string::npos;
      },
      seconds(20));
  EXPECT_TRUE(parked) << "what a journal lost is told, not passed over";
}

// An older copy of a journal came back: what it lacks was processed. Nobody pings; the walk must see it.
TEST_F(LostFiles, JournalPutBackFromAnOlderCopyIsNoticedWithoutAPing) {
  append("history", "a");
  append("history", "a");
  const fs::path journal = site.data() / "journal" / "history";
  fs::copy(journal, site.dir() / "copy", fs::copy_options::recursive);
  append("history", "a");
  end_idle();
  ASSERT_THAT(ran("seen"), ElementsAre("a1", "a2", "a3"));

  fs::remove_all(journal);
  fs::copy(site.dir() / "copy", journal, fs::copy_options::recursive);
  ASSERT_TRUE(site.up({"--until-idle"})) << site.up_log();

  EXPECT_EQ(site.wait_up(seconds(70)), 3) << site.up_log();
  EXPECT_THAT(site.up_log(), HasSubstr("source_went_back"));
}

TEST_F(LostFiles, StoreThatIsAwayEndsCapeInOrderAndKeepsEveryCursor) {
  ASSERT_TRUE(site.up()) << site.up_log();
  append("history", "a");
  append("history", "b");
  ASSERT_TRUE(Site::eventually([&] { return ran("seen").size() == 2; }, seconds(30))) << site.up_log();
  ASSERT_EQ(site.cape({"ping", "other", "a", "--ack"}).exit, 0) << "with it the cursors are on disk";

  fs::rename(store(), site.dir() / "away");
  int code = -1;
  Site::eventually(  // what is committed shows it
      [&] {
        append("history", "a");
        return (code = site.wait_up(seconds(0))) >= 0;
      },
      seconds(30));

  EXPECT_EQ(code, 1) << site.up_log();
  EXPECT_THAT(site.up_log(),
              AllOf(HasSubstr(store().string() + " was deleted or replaced while it was in use"),
                    HasSubstr("says goodbye")));
  EXPECT_TRUE(Site::eventually([&] { return site.left_processes().empty(); }, seconds(10)));
  const Finished start = site.cape({"up", "--until-idle"});
  EXPECT_EQ(start.exit, 1);
  EXPECT_THAT(start.err, HasSubstr(store().string() + " was deleted while it was in use, its log"));
  EXPECT_FALSE(fs::exists(store())) << "an empty one would pass for it";

  fs::rename(site.dir() / "away", store());
  append("history", "b");
  end_idle();
  const std::vector<std::string> all = ran("seen");
  EXPECT_EQ(std::ranges::count(all, "a1"), 1) << "its cursor was saved";
  EXPECT_EQ(std::ranges::count(all, "b1"), 1);
  EXPECT_EQ(all.back(), "b2");
  const auto subject = nlohmann::json::parse(site.cape({"subject", "history", "a", "--json"}).out);
  const std::int64_t latest = subject.at("latest");
  EXPECT_EQ(subject.at("topologies").at(0).at("cursor"), latest);
  for (std::int64_t sequence = 1; sequence <= latest; ++sequence)
    EXPECT_GE(std::ranges::count(all, "a" + std::to_string(sequence)), 1) << sequence;
}

TEST_F(LostFiles, StoreThatWasDeletedForGoodMeansThatEverythingRunsAgain) {
  append("history", "a");
  end_idle();
  ASSERT_TRUE(site.up()) << site.up_log();
  fs::remove(store());
  int code = -1;
  Site::eventually(
      [&] {
        site.cape({"ping", "history", "a", "--ack"});
        return (code = site.wait_up(seconds(0))) >= 0;
      },
      seconds(30));
  ASSERT_EQ(code, 1) << site.up_log();

  remove_log(store());
  end_idle();

  EXPECT_THAT(ran("seen"), ElementsAre("a1", "a1"));
}

// Root may write whatever the mode says, but not on a file system that is read-only.
class ReadOnly : public LostFiles {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting takes root";
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  }
  void TearDown() override {
    if (site.up_pid() > 0) site.kill_up(SIGKILL);
    for (const fs::path& dir : {seen_dir(), site.data()}) ::umount2(dir.c_str(), MNT_DETACH);
  }
  void make_read_only(const fs::path& dir) const {
    fs::create_directories(dir);
    ASSERT_EQ(::mount(dir.c_str(), dir.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, dir.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  }
  void make_writable(const fs::path& dir) const {
    ASSERT_EQ(::mount(nullptr, dir.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr), 0);
  }
  fs::path seen_dir() const { return site.data() / "state/seen"; }
};

TEST_F(ReadOnly, DataDirIsNamedByEverythingThatWritesThere) {
  append("history", "a");
  end_idle();
  make_read_only(site.data());

  const Finished appended = site.cape({"append", "history", "a"});
  const Finished read = site.cape({"subject", "history", "a"});

  const Finished start = site.cape({"up", "--until-idle"});
  EXPECT_EQ(start.exit, 1);
  EXPECT_THAT(start.err, AllOf(HasSubstr((site.data() / "lock").string()), HasSubstr("let this user write"),
                               HasSubstr("Read-only file system")));
  EXPECT_EQ(appended.exit, 1);
  EXPECT_THAT(appended.err, AllOf(HasSubstr(journal().string()), HasSubstr("let this user read and write")));
  EXPECT_EQ(read.exit, 1);  // SQLite reads a write-ahead log with files of its own beside it
  EXPECT_THAT(read.err, AllOf(HasSubstr(store().string()), HasSubstr("let this user read and write")));

  make_writable(site.data());
  append("history", "a");
  end_idle();
  EXPECT_THAT(ran("seen"), ElementsAre("a1", "a2"));
}

TEST_F(ReadOnly, StateDirStopsItsLambdaAloneUntilItCanBeWritten) {
  make_read_only(seen_dir());
  append("history", "a");
  append("other", "a");

  ASSERT_TRUE(site.up()) << site.up_log();

  EXPECT_TRUE(runs("beside", {"a1"})) << site.up_log();
  std::string told;
  const bool named = Site::eventually(
      [&] {
        told = site.cape({"subject", "history", "a", "--json"}).out;
        return told.find((seen_dir() / "record").string()) != std::string::npos;
      },
      seconds(20));
  EXPECT_TRUE(named) << told;
  EXPECT_THAT(told, HasSubstr("Read-only file system"));
  make_writable(seen_dir());
  EXPECT_TRUE(runs("seen", {"a1"})) << site.up_log();
}

TEST_F(ReadOnly, StateDirThatBecomesSoWhileCapeRunsCostsNoEvent) {
  ASSERT_TRUE(site.up()) << site.up_log();
  append("other", "a");
  ASSERT_TRUE(runs("beside", {"a1"})) << site.up_log();

  make_read_only(seen_dir());
  append("history", "a");
  append("other", "a");

  EXPECT_TRUE(runs("beside", {"a1", "a2"})) << site.up_log();
  const std::string logged = (seen_dir() / "record").string();
  EXPECT_TRUE(Site::eventually([&] { return times_logged(logged) > 0; }, seconds(20))) << site.up_log();
  make_writable(seen_dir());
  EXPECT_TRUE(runs("seen", {"a1"})) << site.up_log();
}

}  // namespace
}  // namespace cape::test
