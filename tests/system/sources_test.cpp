// Sources that hang, beat for ever, leak and fail: nothing but their own subject waits.
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
  static constexpr const char* seen = R"(
[topology.seen]
domain = "history"
lambda.record = { plugin = "record", grant = { state = true } }
)";
  void up_with(const std::string& does, const std::string& keys, const std::string& topologies = seen) {
    site.configure(fmt::format(R"(
outputs_bytes_max = "8MiB"
[domain.history]
source = "source_ills"
config = {{ does = "{}" }}
{}
{})",
                               does, keys, topologies));
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

// Room for what one subject gives, which s07 has while its dependant backs off and its next event is read.
TEST_F(IllSource, ThatNeverGivesASubjectsNextEventLetsOthersHaveTheRoomOfItsOutputs) {
  move_in("weave", "weave.so");
  move_in("retry_n", "retry_n.so");
  up_with("fails", "", R"(
[topology.pair]
domain = "history"
retry  = { first = "5m" }
outputs_bytes_max = "64MiB"
[topology.pair.lambda.up]
plugin = "weave"
config = { name = "up" }
grant  = { state = true }
[topology.pair.lambda.down]
plugin = "retry_n"
needs  = ["up"]
config = { subject = "s07" }
[topology.seen]
domain = "history"
after  = ["pair"]
lambda.record = { plugin = "record", grant = { state = true } }
)");

  expect_to_run(subjects - 1);

  EXPECT_TRUE(said("it is not to be had")) << site.up_log();
}

}  // namespace
}  // namespace cape::test
