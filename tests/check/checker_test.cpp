// Each check has a plugin that fails it and no other; a right one passes all, and so do those that ship.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "host/check/checker.hpp"
#include "storage/journal/journal_db.hpp"

namespace cape::check {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string guest(const std::string& name) {
  return std::string(CAPE_CHECK_PLUGINS) + "/" + name + ".so";
}

CheckReport check(const fs::path& file, const CheckOptions& options = {}) {
  auto report = check_plugin(file, options);
  if (report) return std::move(*report);
  ADD_FAILURE() << report.error().message;
  return {};
}

struct Broken {
  const char* plugin;
  const char* id;
  Verdict verdict;
};

class EachCheck : public testing::TestWithParam<Broken> {};

TEST_P(EachCheck, IsFailedByItsPluginAndNoOtherIs) {
  const CheckReport report = check(guest(GetParam().plugin));

  bool found = false;
  for (const Checked& one : report.checks) {
    if (one.id == GetParam().id) {
      found = true;
      EXPECT_EQ(one.finding.verdict, GetParam().verdict)
          << name_of(one.finding.verdict) << ": " << one.finding.text;
      EXPECT_FALSE(one.finding.text.empty());
    } else {
      EXPECT_THAT(one.finding.verdict, testing::AnyOf(Verdict::pass, Verdict::skipped))
          << one.id << " " << name_of(one.finding.verdict) << ": " << one.finding.text;
    }
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(report.good(), !is_bad(GetParam().verdict));
}
INSTANTIATE_TEST_SUITE_P(
    All, EachCheck,
    testing::Values(Broken{"S2", "S2", Verdict::fail}, Broken{"S3", "S3", Verdict::fail},
                    Broken{"S4", "S4", Verdict::warning}, Broken{"S4_LIBC", "S4", Verdict::fail},
                    Broken{"S5", "S5", Verdict::fail}, Broken{"S6_path", "S6", Verdict::fail},
                    Broken{"S6_stack", "S6", Verdict::fail}, Broken{"S6_relro", "S6", Verdict::warning},
                    Broken{"S7", "S7", Verdict::fail}, Broken{"S8", "S8", Verdict::fail},
                    Broken{"S9", "S9", Verdict::fail}, Broken{"S1", "S1", Verdict::fail},
                    Broken{"L1", "L1", Verdict::fail}, Broken{"L1_SYMBOLS", "L1", Verdict::fail},
                    Broken{"L1_ENTRY", "L1", Verdict::fail}, Broken{"L2", "L2", Verdict::fail},
                    Broken{"L3", "L3", Verdict::warning}, Broken{"L4", "L4", Verdict::fail},
                    Broken{"L5", "L5", Verdict::fail}, Broken{"L6", "L6", Verdict::crashed},
                    Broken{"C1", "C1", Verdict::crashed}, Broken{"C2", "C2", Verdict::fail},
                    Broken{"C2_FDS", "C2", Verdict::fail}, Broken{"C2_THREADS", "C2", Verdict::fail},
                    Broken{"L6_THREAD", "L6", Verdict::warning},
                    Broken{"C8", "C8", Verdict::crashed}, Broken{"C11", "C11", Verdict::fail},
                    Broken{"C12", "C12", Verdict::fail}, Broken{"C13", "C13", Verdict::fail},
                    Broken{"C14", "C14", Verdict::fail}, Broken{"C3", "C3", Verdict::crashed},
                    Broken{"C4", "C4", Verdict::fail}, Broken{"C5", "C5", Verdict::fail},
                    Broken{"C5_ALONE", "C5", Verdict::fail}, Broken{"C5_QUIET", "C5", Verdict::fail},
                    Broken{"C6_QUIET", "C6", Verdict::fail},
                    Broken{"C6", "C6", Verdict::fail}, Broken{"C9", "C9", Verdict::fail},
                    Broken{"C9_LARGE", "C9", Verdict::fail}, Broken{"C9_TWICE", "C9", Verdict::fail},
                    Broken{"F1", "F1", Verdict::crashed}, Broken{"F2", "F2", Verdict::warning},
                    Broken{"F3", "F3", Verdict::crashed}, Broken{"C7", "C7", Verdict::warning},
                    Broken{"C7_EVERYWHERE", "C7", Verdict::warning},
                    Broken{"C10", "C10", Verdict::warning}, Broken{"C15", "C15", Verdict::fail},
                    Broken{"C16", "C16", Verdict::warning}, Broken{"E1", "E1", Verdict::fail},
                    Broken{"E2", "E2", Verdict::fail}, Broken{"E3", "E3", Verdict::fail},
                    Broken{"E4", "E4", Verdict::fail}, Broken{"E5", "E5", Verdict::fail},
                    Broken{"E6", "E6", Verdict::fail}, Broken{"E7", "E7", Verdict::fail}),
    [](const auto& tested) { return std::string(tested.param.plugin); });

TEST(Checker, RightOnesPassEverything) {
  for (const char* name : {"good_lambda", "good_source"})
    for (const Checked& one : check(guest(name)).checks)
      EXPECT_THAT(one.finding.verdict, testing::AnyOf(Verdict::pass, Verdict::skipped))
          << name << " " << one.id << ": " << one.finding.text;
}

TEST(Checker, NamesEachSymbolThatIsNowhereAndWhatToDo) {
  const CheckReport report = check(guest("L1_SYMBOLS"), {.only = {"L1"}});

  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_THAT(report.checks[0].finding.text,
              AllOf(HasSubstr("nobody_has_this"), HasSubstr("nobody_has_that"), EndsWith("link what does into it"),
                    Not(HasSubstr("descriptor"))));
}

TEST(Checker, SaysHowAFileGetsTheEntryThatItLacks) {
  const CheckReport report = check(guest("L1_ENTRY"), {.only = {"L1"}});

  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_THAT(report.checks[0].finding.text,
              AllOf(HasSubstr("no cape_entry_v1"), HasSubstr("plugin.map"), Not(HasSubstr("seek"))));
}

TEST(Checker, TellsOfDescriptorsAlsoWhereNoneIsFreeAnyMore) {
  const CheckReport report = check(guest("C2_FDS"), {.only = {"C2"}});

  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_THAT(report.checks[0].finding.text,
              testing::ContainsRegex(" [1-9][0-9]* descriptors more are open"));
}

// With the settings they need and something to read, so that no promise of theirs is skipped.
class Shipped : public testing::Test {
 protected:
  Shipped() {
    char made[] = "/tmp/cape-shipped-XXXXXX";
    dir_ = ::mkdtemp(made);
    fs::permissions(dir_, fs::perms::all);
    fs::create_directory(dir_ / "tree");
    std::ofstream(dir_ / "tree" / "a.txt") << "some words";
    std::ofstream(dir_ / "tree" / "b.txt") << "more words";
  }
  ~Shipped() override { fs::remove_all(dir_); }
  void expect_good(const std::string& name, const CheckOptions& options) {
    const CheckReport report = check(fs::path(CAPE_BUILTIN_PLUGINS) / (name + ".so"), options);
    for (const Checked& one : report.checks) {
      if (one.id == "L3") continue;  // its measure is this machine's load
      EXPECT_THAT(one.finding.verdict, testing::AnyOf(Verdict::pass, Verdict::skipped))
          << name << " " << one.id << ": " << one.finding.text;
      EXPECT_FALSE(one.finding.starved) << name << " " << one.id << ": " << one.finding.text;
    }
  }
  CheckOptions reading(const std::string& key, const fs::path& dir) const {
    CheckOptions options;
    options.settings_json = "{\"" + key + "\":\"" + dir.string() + "\"}";
    options.grant.read = {dir};
    return options;
  }

  fs::path dir_;
};

TEST_F(Shipped, AuditLogPassesWithoutAWarning) {
  expect_good("audit_log", {});
}

TEST_F(Shipped, SearchIndexPassesWithoutAWarning) {
  expect_good("search_index", reading("root", dir_ / "tree"));
}

TEST_F(Shipped, FilesPassesWithoutAWarning) {
  expect_good("files", reading("root", dir_ / "tree"));
}

TEST_F(Shipped, JournalPassesWithoutAWarning) {
  auto journal = storage::JournalDb::open(dir_ / "journal", 1u << 20);
  ASSERT_TRUE(journal) << journal.error().message;
  std::vector<storage::NewEvent> events(20);
  for (std::size_t i = 0; i < events.size(); ++i)
    events[i].subject = "s" + std::to_string(i % 5), events[i].payload = "p";
  ASSERT_TRUE(journal->append(events));
  ASSERT_TRUE(journal->touch());

  expect_good("journal", reading("dir", dir_ / "journal"));
}

TEST(Checker, PromisesWithNothingToRunThemWithAreCountedAndNotKept) {
  const CheckReport report = check(fs::path(CAPE_BUILTIN_PLUGINS) / "files.so", {.only = {"E"}});

  EXPECT_EQ(report.starved(), report.checks.size());
  EXPECT_GT(report.starved(), 0u);
}

TEST(Checker, FileThatIsNoLibraryFailsOneCheckAndSkipsTheRest) {
  const fs::path file = fs::temp_directory_path() / "cape-check-text.so";
  std::ofstream(file) << "no library";

  const CheckReport report = check(file);
  fs::remove(file);

  for (const Checked& one : report.checks)
    EXPECT_EQ(one.finding.verdict, one.id == "S1" ? Verdict::fail : Verdict::skipped) << one.id;
}

TEST(Checker, RunsTheChosenOnesAlone) {
  std::string ids;
  for (const Checked& one : check(guest("good_lambda"), {.only = {"S"}, .skip = {"S9", "S1"}}).checks)
    ids += one.id + " ";

  EXPECT_EQ(ids, "S2 S3 S4 S5 S6 S7 S8 ");
  EXPECT_EQ(unknown_check({"S1", "Q7"}), "Q7");
  EXPECT_EQ(unknown_check({"S", "C10"}), "");
}

TEST(Checker, FileThatIsNotThereIsAnError) {
  const auto report = check_plugin("/nowhere/x.so", {});

  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("not there"));
}

}  // namespace
}  // namespace cape::check
