// tests/system/versions.hpp
// A site in which versions of one plugin come and go.
#pragma once

#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/system/order_checker.hpp"
#include "tests/system/site.hpp"

namespace cape::test {

class Versions : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds long_enough{60};

  fs::path plugin(const std::string& name) const { return site.dir() / "plugins" / name; }
  // As `mv` does: the new file is whole from its first moment on.
  void move_in(const std::string& zoo, const std::string& name, const std::string& tail = "") {
    fs::copy_file(zoo_plugin(zoo), plugin(".new"), fs::copy_options::overwrite_existing);
    if (!tail.empty()) std::ofstream(plugin(".new"), std::ios::app) << tail;  // other bytes, the same library
    fs::rename(plugin(".new"), plugin(name));
  }
  void restart() {
    site.kill_up(SIGTERM);
    ASSERT_TRUE(site.up()) << site.up_log();
  }

  // The answer of `cape plugin list`; null while there is none.
  nlohmann::json listed() const {
    const Finished list = site.cape({"--json", "plugin", "list"});
    return list.exit == 0 ? nlohmann::json::parse(list.out) : nlohmann::json();
  }
  // The entry of `id` in that state; null: there is none.
  nlohmann::json entry(const std::string& id, const std::string& state) const {
    const nlohmann::json all = listed();
    if (all.is_null()) return all;
    for (const auto& one : all.at("plugins"))
      if (one.at("id") == id && one.at("state") == state) return one;
    return {};
  }
  bool has_state(const std::string& id, const std::string& version, const std::string& state) const {
    const auto states = states_of(id, version);
    return std::ranges::find(states, state) != states.end();
  }
  std::vector<std::string> states_of(const std::string& id, const std::string& version) const {
    const nlohmann::json all = listed();
    std::vector<std::string> states;
    if (all.is_null()) return states;
    for (const auto& one : all.at("plugins"))
      if (one.at("id") == id && one.at("version") == version) states.push_back(one.at("state"));
    return states;
  }
  std::string serving(const std::string& id) const {
    const nlohmann::json one = entry(id, "serving");
    return one.is_null() ? std::string() : one.at("version").get<std::string>();
  }
  void expect_serving(const std::string& id, const std::string& version) {
    EXPECT_TRUE(Site::eventually([&] { return serving(id) == version; }, long_enough))
        << "not " << version << ": " << listed().dump(1) << site.up_log();
  }
  // The reason for which a file is set aside; empty: none is.
  std::string aside_reason() const {
    const nlohmann::json all = listed();
    if (all.is_null() || all.at("set_aside").empty()) return {};
    return all.at("set_aside").at(0).at("reason").get<std::string>();
  }

  // `count` further events, over some subjects.
  void append(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::string subject = "s" + std::to_string(appended % 10);
      const std::int64_t sequence = appended++ / 10 + 1;
      checker.expect(subject, sequence);
      lines += nlohmann::json{{"subject", subject}, {"sequence", sequence}, {"payload", "p"}}.dump() + "\n";
    }
    ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-"}, lines).exit, 0);
  }
  fs::path log() const { return site.data() / "state" / "seen" / "record" / "record.log"; }
  std::size_t ran() const { return lines_of(log()).size(); }
  void expect_ran_all() {
    EXPECT_TRUE(Site::eventually([&] { return ran() >= static_cast<std::size_t>(appended); }, long_enough))
        << ran() << " of " << appended << "\n"
        << site.up_log();
  }
  // Each once, in order: no swap of versions may repeat an event, since the old child finishes what it began.
  void expect_each_once_in_order() {
    for (const Recorded& one : recorded(log())) checker.ran({one.subject, one.sequence});
    checker.finish();
    EXPECT_TRUE(checker.mistakes().empty()) << checker.mistakes().front();
    EXPECT_EQ(checker.repeats(), 0u);
  }

  Site site;
  OrderChecker checker;
  std::int64_t appended = 0;
};

inline constexpr const char* versions_config = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)";

}  // namespace cape::test
