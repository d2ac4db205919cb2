// Sources that hang, beat for ever and leak: replaced, and nothing but their own subject waits.
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include <fmt/format.h>

#include "tests/system/order_checker.hpp"
#include "tests/system/versions.hpp"

namespace cape::test {
namespace {

constexpr std::size_t subjects = 60;  // of the guest, with an event each

class IllSource : public Versions {
 protected:
  void up_with(const std::string& does, const std::string& keys) {
    site.configure(fmt::format(R"(
[domain.history]
source = "source_ills"
config = {{ does = "{}" }}
{}
[topology.seen]
domain = "history"
lambda.record = {{ plugin = "record", grant = {{ state = true }} }}
)",
                               does, keys));
    move_in("source_ills", "source_ills.so");
    move_in("record", "record.so");
    ASSERT_TRUE(site.up()) << site.up_log();
  }
  std::size_t subjects_that_ran() const {
    std::set<std::string> ran;
    for (const Recorded& r : recorded(log())) ran.insert(r.subject);
    return ran.size();
  }
  void expect_to_run(std::size_t count) {
    EXPECT_TRUE(Site::eventually([&] { return subjects_that_ran() >= count; }, long_enough))
        << subjects_that_ran() << " of " << count << "\n"
        << site.up_log();
  }
  bool said(const std::string& what) const { return site.up_log().find(what) != std::string::npos; }
};

TEST_F(IllSource, ThatBeatsForEverIsKilledAtTheHardCapAndOthersGoOn) {
  up_with("beats", "timeout = \"500ms\"\ntimeout_max = \"1500ms\"");

  expect_to_run(subjects - 1);

  EXPECT_TRUE(Site::eventually(
      [&] {
        return said(
            "HUNG in a query of 's07' from 1: source 'source_ills' of domain 'history' answered "
            "nothing for 1500 ms");
      },
      long_enough))
      << site.up_log();
}

TEST_F(IllSource, ThatHangsWhenItsNextVersionComesMakesWayForIt) {
  up_with("hangs", "timeout = \"4s\"");
  expect_serving("source_ills", "1.0.0");

  fs::copy_file(zoo_plugin("source_ills_2"), plugin(".new"));
  fs::rename(plugin(".new"), plugin("source_ills.so"));

  expect_serving("source_ills", "2.0.0");
  expect_to_run(subjects);
}

TEST_F(IllSource, ThatLeaksIsReplacedBeforeItDiesOfIt) {
  up_with("leaks", "limits = { memory = \"512MiB\", recycle = \"32MiB\" }");

  expect_to_run(subjects);

  const auto recycled = [&] {
    const nlohmann::json one = entry("source_ills", "serving");
    return one.is_null() || one.at("children").empty() ? 0 : one.at("children").at(0).value("recycled", 0);
  };
  EXPECT_TRUE(Site::eventually([&] { return recycled() > 0; }, long_enough))
      << listed().dump(1) << site.up_log();
  EXPECT_TRUE(said("more than limits.recycle, 32 MiB")) << site.up_log();
  EXPECT_FALSE(said("ended: ")) << site.up_log();
}

}  // namespace
}  // namespace cape::test
