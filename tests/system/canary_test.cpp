// A new version of a plugin on a part of the subjects: promoted, rolled back, over crashes. The lambda
// `tried` has the canary, and gives for each event which version ran it and when; `see` writes down what it
// was given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int subjects = 300;

struct Ran {
  std::int64_t sequence = 0, begin_ns = 0, end_ns = 0;
  std::string version;
};
using RanBySubject = std::map<std::string, std::vector<Ran>>;

class CanaryTest : public testing::TestWithParam<Arrangement> {
 protected:
  CanaryTest() : site_(GetParam()) {}

  void begin(const std::string& canary) {
    site_.configure(R"(
[domain.history]
source = "journal"
[topology.t]
domain = "history"
retry = { first = "10ms" }
[topology.t.lambda.tried]
plugin = "versioned"
canary = )" + canary +
                    R"(
[topology.t.lambda.see]
plugin = "weave"
needs  = ["tried"]
config = { name = "see", from = "tried" }
grant  = { state = true }
)");
    site_.add_plugin("weave");
    drop("versioned_1");
    ASSERT_TRUE(site_.up()) << site_.up_log();
    ASSERT_TRUE(eventually([&] { return stable_is("1.0.0"); })) << state();
  }

  // Over the older file, as people do it: its bytes are then nowhere but in Cape.
  void drop(const std::string& zoo_name) {
    const fs::path to = site_.dir() / "plugins" / "versioned.so",
                   part = site_.dir() / "plugins" / ".versioned.part";
    fs::copy_file(zoo_plugin(zoo_name), part, fs::copy_options::overwrite_existing);
    fs::rename(part, to);
  }

  // One further event of each subject.
  void feed() {
    ++rounds_;
    std::string lines;
    for (int subject = 0; subject < subjects; ++subject)
      lines +=
          json({{"subject", "s" + std::to_string(subject)}, {"sequence", rounds_}, {"type", "t"}}).dump() +
          "\n";
    const Finished appended = site_.cape({"append", "history", "--jsonl", "-"}, lines);
    ASSERT_EQ(appended.exit, 0) << appended.err;
  }
  // Feeds until `what` holds; each round is run before the next one.
  bool feed_until(const std::function<bool()>& what, int rounds_max = 200) {
    for (int i = 0; i < rounds_max; ++i) {
      feed();
      bool seen = false;
      if (!eventually([&] { return (seen = what()) || all_ran(); })) return false;
      if (seen) return true;
    }
    return false;
  }
  // Each event at least once; a kill makes some of them run again.
  bool all_ran() const {
    const RanBySubject all = ran();
    return all.size() == subjects &&
           std::ranges::all_of(all, [&](const auto& of) { return of.second.back().sequence == rounds_; });
  }

  json canary_of() const {
    const Finished list = site_.cape({"--json", "topology", "list"});
    if (list.exit != 0) return {};
    const json answer = json::parse(list.out, nullptr, false);
    if (answer.is_discarded() || answer.value("topologies", json::array()).empty()) return {};
    const json rows = answer["topologies"][0].value("canaries", json::array());
    return rows.empty() ? json() : rows[0];
  }
  // That version, and everybody has been told. Empty: none.
  bool is(const char* what, const std::string& version) const {
    const json row = canary_of();
    if (!row.is_object() || !row.value("in_effect", false)) return false;
    const json& text = row[what];
    return version.empty() ? text.is_null()
                           : text.is_string() && text.get<std::string>().starts_with(version + " ");
  }
  bool stable_is(const std::string& version) const { return is("stable", version); }
  bool candidate_is(const std::string& version) const { return is("candidate", version); }
  std::string verdict() const {
    const json row = canary_of();
    return row.is_object() ? row.value("verdict", "") : "";
  }

  // "s1 5 see:5<1.0.0 BEGIN END>"; the first occurrence of each event.
  RanBySubject ran() const {
    RanBySubject all;
    for (const std::string& line : lines_of(log())) {
      std::istringstream in(line.substr(0, line.size() - 1));
      std::string subject, text;
      Ran one;
      in >> subject >> one.sequence >> text >> one.begin_ns >> one.end_ns;
      one.version = text.substr(text.find('<') + 1);
      std::vector<Ran>& of = all[subject];
      if (of.empty() || of.back().sequence < one.sequence) of.push_back(one);
    }
    return all;
  }
  std::set<std::string> subjects_with(const std::string& version, std::int64_t sequence) const {
    std::set<std::string> found;
    for (const auto& [subject, events] : ran())
      for (const Ran& one : events)
        if (one.sequence == sequence && one.version == version) found.insert(subject);
    return found;
  }
  // No event began before the one before it had ended, and none is missing.
  void expect_order() const {
    for (const auto& [subject, events] : ran()) {
      ASSERT_EQ(events.size(), static_cast<std::size_t>(rounds_)) << subject;
      for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_EQ(events[i].sequence, events[i - 1].sequence + 1) << subject;
        EXPECT_GE(events[i].begin_ns, events[i - 1].end_ns) << subject << " " << events[i].sequence;
      }
    }
  }
  fs::path log() const { return site_.data() / "state" / "t" / "see" / "weave.log"; }
  std::string state() const { return canary_of().dump() + "\n" + site_.up_log(); }
  bool logged(const std::string& text) const { return site_.up_log().find(text) != std::string::npos; }
  static bool eventually(const std::function<bool()>& what) { return Site::eventually(what, seconds(60)); }

  Site site_;
  int rounds_ = 0;
};

TEST_P(CanaryTest, GoodVersionIsPromotedByStagesAndOrderHolds) {
  begin(R"({ share = "5%", for = "500ms", abort = "errors > 2x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return stable_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  EXPECT_EQ(subjects_with("1.0.0", 1).size(), static_cast<std::size_t>(subjects));
  EXPECT_EQ(subjects_with("2.0.0", rounds_).size(), static_cast<std::size_t>(subjects)) << "all have it now";
  EXPECT_TRUE(logged("gets 5% of the subjects")) << site_.up_log();
  EXPECT_TRUE(logged("gets 25% of the subjects")) << site_.up_log();
  EXPECT_THAT(verdict(), AllOf(HasSubstr("promoted: version 2.0.0"), HasSubstr("1.0.0")));
  expect_order();
  for (const auto& [subject, events] : ran()) {
    int changes = 0;
    for (std::size_t i = 1; i < events.size(); ++i) changes += events[i].version != events[i - 1].version;
    EXPECT_EQ(changes, 1) << subject << " has the new version from one promotion on, and never goes back";
  }
}

TEST_P(CanaryTest, VersionThatFailsMoreIsRolledBackWithBothNumbers) {
  begin(R"({ share = "20%", for = "1h", abort = "errors > 2x or p95 > 100x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_fails");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.1.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return !verdict().empty(); })) << state();
  EXPECT_THAT(verdict(), AllOf(HasSubstr("rolled back: version 2.1.0"), HasSubstr("events failed"),
                               HasSubstr("against 0 of"), HasSubstr("more than 2x")));
  EXPECT_TRUE(logged(verdict())) << site_.up_log();
  EXPECT_TRUE(eventually([&] { return stable_is("1.0.0"); })) << state();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("1.0.0", rounds_).size(), static_cast<std::size_t>(subjects))
      << "nobody has it any more";
  EXPECT_TRUE(candidate_is("")) << "its file still lies there, and is not tried again: " << state();
  expect_order();
}

TEST_P(CanaryTest, SlowerVersionIsRolledBack) {
  begin(R"({ share = "20%", for = "1h", abort = "p95 > 2x" })");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_slow");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.2.0"); })) << state();

  ASSERT_TRUE(feed_until([&] { return !verdict().empty(); })) << state();
  EXPECT_THAT(verdict(),
              AllOf(HasSubstr("rolled back: version 2.2.0"), HasSubstr("p95"), HasSubstr("against")));
  EXPECT_TRUE(eventually([&] { return stable_is("1.0.0"); })) << state();
}

TEST_P(CanaryTest, FewerThanAHundredEventsWaitAndAreTold) {
  begin(R"({ share = "5%", for = "300ms" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();  // about 15 events of the candidate
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  ASSERT_TRUE(eventually([&] { return canary_of().value("extensions", 0) >= 2; })) << state();
  EXPECT_TRUE(candidate_is("2.0.0")) << state();
  EXPECT_EQ(canary_of().value("share", json()), "5%");
  EXPECT_TRUE(logged("nothing is compared below 100")) << site_.up_log();
}

TEST_P(CanaryTest, GoesOnAfterKillWithTheSameShareAndTheSameSubjects) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  const std::set<std::string> before = subjects_with("2.0.0", 1);
  EXPECT_GT(before.size(), 20u);
  EXPECT_LT(before.size(), 120u);

  for (int kill = 0; kill < 2; ++kill) {
    site_.kill_up(SIGKILL);
    ASSERT_TRUE(site_.up()) << site_.up_log();
    feed();
    ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
    EXPECT_EQ(subjects_with("2.0.0", rounds_), before) << "the same subjects";
    EXPECT_EQ(subjects_with("1.0.0", rounds_).size(), subjects - before.size())
        << "though the file of that version is no more";
    EXPECT_EQ(canary_of().value("share", json()), "20%");
  }
  expect_order();
}

TEST_P(CanaryTest, IsPromotedAndRolledBackByHand) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  const Finished tried = site_.cape({"plugin", "rollback", "versioned", "--dry-run"});
  EXPECT_EQ(tried.exit, 0) << tried.err;
  EXPECT_TRUE(candidate_is("2.0.0")) << "a dry run changes nothing";

  const Finished back = site_.cape({"plugin", "rollback", "versioned", "--reason", "not today"});
  EXPECT_EQ(back.exit, 0) << back.err;
  EXPECT_THAT(back.out, AllOf(HasSubstr("rolled back: version 2.0.0"), HasSubstr("not today")));
  ASSERT_TRUE(eventually([&] { return candidate_is(""); })) << state();
  const Finished again = site_.cape({"plugin", "rollback", "versioned"});
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("no canary runs"));

  drop("versioned_3");
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  const Finished promoted = site_.cape({"plugin", "promote", "versioned"});
  EXPECT_EQ(promoted.exit, 0) << promoted.err;
  ASSERT_TRUE(eventually([&] { return stable_is("3.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("3.0.0", rounds_).size(), static_cast<std::size_t>(subjects));
  EXPECT_EQ(site_.cape({"plugin", "promote", "no_such"}).exit, 1);
  EXPECT_THAT(site_.cape({"audit"}).out,
              AllOf(HasSubstr("rollback"), HasSubstr("promote"), HasSubstr("not today")));

  site_.kill_up(SIGKILL);
  ASSERT_TRUE(site_.up()) << site_.up_log();
  EXPECT_TRUE(eventually([&] { return stable_is("3.0.0") && candidate_is(""); })) << state();
}

TEST_P(CanaryTest, PinGivesAllSubjectsOneVersionUntilItIsTakenOff) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();

  const Finished pinned = site_.cape({"plugin", "pin", "versioned", "2.0.0"});
  ASSERT_EQ(pinned.exit, 0) << pinned.err;
  ASSERT_TRUE(eventually([&] { return stable_is("2.0.0") && candidate_is(""); })) << state();
  drop("versioned_3");
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_EQ(subjects_with("2.0.0", rounds_).size(), static_cast<std::size_t>(subjects));

  const Finished unpinned = site_.cape({"plugin", "unpin", "versioned"});
  ASSERT_EQ(unpinned.exit, 0) << unpinned.err;
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  EXPECT_TRUE(stable_is("2.0.0")) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  EXPECT_GT(subjects_with("3.0.0", rounds_).size(), 20u);
  expect_order();
}

TEST_P(CanaryTest, ThirdVersionTakesThePlaceOfTheCandidate) {
  begin(R"({ share = "20%", for = "1h" })");
  drop("versioned_2");
  ASSERT_TRUE(eventually([&] { return candidate_is("2.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  drop("versioned_3");
  ASSERT_TRUE(eventually([&] { return candidate_is("3.0.0"); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();
  feed();
  ASSERT_TRUE(eventually([&] { return all_ran(); })) << state();

  EXPECT_EQ(subjects_with("3.0.0", rounds_), subjects_with("2.0.0", 1));
  EXPECT_THAT(subjects_with("2.0.0", rounds_), IsEmpty());
  EXPECT_TRUE(stable_is("1.0.0")) << state();
  expect_order();
}

INSTANTIATE_TEST_SUITE_P(Cape, CanaryTest, testing::Values(Arrangement::together, Arrangement::apart),
                         [](const auto& arrangement) { return name_of(arrangement.param); });

}  // namespace
}  // namespace cape::test
