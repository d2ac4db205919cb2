// tests/system/canary.hpp
// A site with a canary. The lambda `tried` has it, and gives for each event which version ran it and when; `see`
// writes down what it was given.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {

using nlohmann::json;

inline constexpr int subjects = 300;

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

  fs::path file() const { return site_.dir() / "plugins" / "versioned.so"; }

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

  // Of `cape plugin list`; null: that version is not in it.
  json entry(const std::string& version) const {
    const Finished list = site_.cape({"--json", "plugin", "list"});
    if (list.exit != 0) return {};
    const json answer = json::parse(list.out);
    for (const json& one : answer.at("plugins"))
      if (one.at("id") == "versioned" && one.at("version") == version) return one;
    return {};
  }
  std::string state_of(const std::string& version) const {
    const json one = entry(version);
    return one.is_null() ? std::string("none") : one.value("state", "");
  }
  bool runs(const std::string& version) const {  // in a child
    const json one = entry(version);
    return !one.is_null() && one.value("running", 0) > 0;
  }
  // In the list, of either version; and beside the file, whose bytes are the second one's.
  void expect_told(const std::string& a, const std::string& state_a, const std::string& b,
                   const std::string& state_b, const std::string& state_of_file) {
    const fs::path status = site_.dir() / "plugins" / "versioned.status.json";
    std::string text;
    const auto told = [&] {
      std::ifstream in(status);
      text.assign(std::istreambuf_iterator<char>(in), {});
      const json file = json::parse(text, nullptr, false);
      return state_of(a) == state_a && state_of(b) == state_b && file.is_object() &&
             file.value("version", "") == b && file.value("state", "") == state_of_file;
    };
    EXPECT_TRUE(eventually(told)) << entry(a).dump() << "\n" << entry(b).dump() << "\n" << text << state();
    EXPECT_TRUE(eventually([&] { return all_ran(); })) << state();
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
  static bool eventually(const std::function<bool()>& what) { return Site::eventually(what, std::chrono::seconds(60)); }

  Site site_;
  int rounds_ = 0;
};

}  // namespace cape::test
