// Versions of a plugin that are dropped, taken back, pinned, and found wanting.
#include "tests/system/versions.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "tests/system/process.hpp"

namespace cape::test {
namespace {

using ::testing::HasSubstr;

TEST_F(Versions, FileThatBecameStableLastServesWhateverItsVersionAndTheHighestOneAfterAStart) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();

  move_in("record_2", "record-2.so");
  expect_serving("record", "2.0.0");
  EXPECT_EQ(entry("record", "stands_by").value("version", ""), "1.0.0");
  append(10);
  expect_ran_all();
  move_in("record", "record.so", "built again");  // a downgrade
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();

  restart();
  expect_serving("record", "2.0.0");
  fs::remove(plugin("record-2.so"));
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();
  expect_each_once_in_order();
}

TEST_F(Versions, HalfWrittenFileLeavesTheOldOneInPlaceUntilItIsWhole) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  std::ifstream in(zoo_plugin("record_2"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};

  std::ofstream out(plugin("record.so"), std::ios::binary | std::ios::trunc);  // in place
  out << whole.substr(0, whole.size() / 2) << std::flush;
  EXPECT_TRUE(
      Site::eventually([&] { return aside_reason().find("cut off") != std::string::npos; }, long_enough))
      << site.up_log();
  EXPECT_EQ(serving("record"), "1.0.0");
  append(10);
  expect_ran_all();
  out << whole.substr(whole.size() / 2) << std::flush;
  out.close();

  expect_serving("record", "2.0.0");
  append(10);
  expect_ran_all();
  expect_each_once_in_order();
}

TEST_F(Versions, PinWinsOverWhatIsDroppedAndOverRestartsUntilItIsTakenBack) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();
  move_in("record_2", "record-2.so");
  expect_serving("record", "2.0.0");

  const Finished none = site.cape({"plugin", "pin", "record", "7.0.0"});
  EXPECT_EQ(none.exit, 1);
  EXPECT_THAT(none.err, HasSubstr("no host has '7.0.0' of 'record'; there are: 2.0.0"));
  EXPECT_EQ(site.cape({"plugin", "pin", "record", "1.0.0", "--dry-run"}).exit, 0);
  EXPECT_EQ(entry("record", "serving").at("pinned"), nlohmann::json()) << "a dry run pins nothing";
  const Finished pinned = site.cape({"plugin", "pin", "record", "1.0.0", "--reason", "incident 17"});
  ASSERT_EQ(pinned.exit, 0) << pinned.err;
  EXPECT_THAT(pinned.out, HasSubstr("record pinned to version 1.0.0"));
  expect_serving("record", "1.0.0");
  EXPECT_EQ(entry("record", "serving").at("pinned"), "1.0.0");
  move_in("record_3", "record-3.so");
  append(10);
  expect_ran_all();
  EXPECT_TRUE(Site::eventually(
      [&] { return listed().dump().find("\"3.0.0\"") != std::string::npos && serving("record") == "1.0.0"; },
      long_enough))
      << listed().dump(1);

  restart();
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();
  EXPECT_THAT(site.cape({"audit"}).out, HasSubstr("incident 17"));
  ASSERT_EQ(site.cape({"plugin", "unpin", "record"}).exit, 0);
  expect_serving("record", "3.0.0");
  append(10);
  expect_ran_all();
  EXPECT_EQ(site.cape({"plugin", "unpin", "record"}).exit, 1) << "there is nothing to take back";
  expect_each_once_in_order();
}

TEST_F(Versions, PinnedBytesServeOnWhenTheirFileGoesAndAreMissedLoudlyAfterARestart) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  const std::string hash = entry("record", "serving").at("hash");

  move_in("record_2", "record.so");  // over it: 1.0.0 is in no file any more
  expect_serving("record", "2.0.0");
  ASSERT_EQ(site.cape({"plugin", "pin", "record", hash.substr(0, 12)}).exit, 0);
  expect_serving("record", "1.0.0");
  append(10);
  expect_ran_all();

  restart();
  const auto is_missed = [&] {
    return entry("record", "missing").dump().find("is pinned to hash " + hash.substr(0, 12)) !=
           std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(is_missed, long_enough)) << listed().dump(1);
  append(10);
  const auto is_told = [&] {
    return site.cape({"why", "history", "s1"}).out.find("is pinned to hash") != std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(is_told, long_enough)) << site.cape({"why", "history", "s1"}).out;
  EXPECT_EQ(ran(), 10u) << "the bytes that were pinned away must not run";
  move_in("record", "record-1.so");
  expect_serving("record", "1.0.0");
  expect_ran_all();
  expect_each_once_in_order();
}

TEST_F(Versions, OneThatIsSlowerByFarGivesWayToTheLastGoodOne) {
  site.configure(std::string(versions_config) + "[rollback]\nevents = 20\nabove = \"20ms\"\n");
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  append(100);
  expect_ran_all();

  move_in("record_2_slow", "record.so");
  expect_serving("record", "2.0.0");
  append(40);

  EXPECT_TRUE(Site::eventually(
      [&] { return aside_reason().find("slower by far: its first 20 events took") != std::string::npos; },
      long_enough))
      << listed().dump(1);
  expect_serving("record", "1.0.0");
  EXPECT_THAT(aside_reason(), HasSubstr("version 1.0.0"));
  EXPECT_THAT(site.up_log(), HasSubstr("version 2.0.0"));
  EXPECT_THAT(site.up_log(), HasSubstr("slower by far"));
  EXPECT_THAT(read_text(plugin("record.status.json")), HasSubstr("slower by far"));
  expect_ran_all();
  expect_each_once_in_order();
}

TEST_F(Versions, OneThatCrashesOnItsFirstEventsGivesWayToTheLastGoodOne) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  expect_serving("record", "1.0.0");
  append(20);
  expect_ran_all();

  move_in("record_2_crashes", "record.so");
  append(20);  // whichever of the two gets them

  EXPECT_TRUE(Site::eventually(
      [&] {
        append(10);
        return aside_reason().find("its first 3 events crashed it") != std::string::npos;
      },
      long_enough))
      << listed().dump(1) << site.up_log();
  expect_serving("record", "1.0.0");
  const auto is_done = [&] {
    return site.cape({"subject", "history", "s1"}).out.find("done") != std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(is_done, long_enough)) << site.up_log();

  EXPECT_TRUE(has_state("record", "2.0.0", "set_aside")) << listed().dump(1);
  move_in("record_3", "record.so");
  expect_serving("record", "3.0.0");
  EXPECT_TRUE(states_of("record", "2.0.0").empty()) << "it went with its file\n" << listed().dump(1);
  EXPECT_TRUE(has_state("record", "1.0.0", "stands_by")) << listed().dump(1);
}

TEST_F(Versions, RestartsCountChildrenThatEndedAndNotThoseThatMadeWay) {
  site.configure(versions_config);
  move_in("record", "record.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  append(10);
  expect_ran_all();
  for (const char* next : {"record_2", "record_3"}) {
    move_in(next, "record.so");
    expect_serving("record", std::string(next == std::string("record_2") ? "2" : "3") + ".0.0");
    append(10);
    expect_ran_all();
  }
  const auto is_told = [&](const char* plugin, int restarts) {
    return Site::eventually(
        [&] {
          const nlohmann::json one = entry(plugin, "serving");
          return !one.is_null() && one.at("running") == 1 && one.at("restarts") == restarts &&
                 one.at("children").at(0).at("restarts") == restarts;
        },
        long_enough);
  };
  EXPECT_TRUE(is_told("record", 0)) << listed().dump(1);

  ASSERT_EQ(::kill(entry("record", "serving").at("children").at(0).at("pid").get<pid_t>(), SIGKILL), 0);
  append(10);
  expect_ran_all();
  EXPECT_TRUE(is_told("record", 1)) << listed().dump(1);
  EXPECT_TRUE(is_told("journal", 0)) << listed().dump(1);
  ASSERT_EQ(::kill(entry("journal", "serving").at("children").at(0).at("pid").get<pid_t>(), SIGKILL), 0);
  EXPECT_TRUE(is_told("journal", 1)) << listed().dump(1);
}

class SourceVersions : public Versions, public ::testing::WithParamInterface<const char*> {};

TEST_P(SourceVersions, OneThatDoesNotWorkGivesWayToTheLastGoodOne) {
  site.configure(R"(
[domain.history]
source = "liar"
config = { lie = "none" }
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)");
  move_in("record", "record.so");
  move_in("liar", "liar.so");
  ASSERT_TRUE(site.up()) << site.up_log();
  EXPECT_TRUE(Site::eventually([&] { return ran() == 30; }, long_enough)) << site.up_log();
  expect_serving("liar", "1.0.0");

  move_in(GetParam(), "liar.so");

  // Whatever is read of it ends it.
  const auto gave_way = [&] {
    site.cape({"rewind", "seen", "a", "--to", "1"});
    return aside_reason().find("it ended 3 times before any query succeeded") != std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(gave_way, long_enough)) << listed().dump(1) << site.up_log();
  expect_serving("liar", "1.0.0");
  EXPECT_THAT(aside_reason(), HasSubstr("version 1.0.0"));
  EXPECT_THAT(site.up_log(), HasSubstr("liar.so is set aside"));
  const auto told = nlohmann::json::parse(read_text(plugin("liar.status.json")), nullptr, false);
  ASSERT_TRUE(told.is_object()) << read_text(plugin("liar.status.json"));
  EXPECT_EQ(told.value("state", ""), "set_aside");
  EXPECT_THAT(told.value("reason", ""), HasSubstr("it ended 3 times before any query succeeded"));
  EXPECT_EQ(told.at("still_good").value("version", ""), "1.0.0");
  EXPECT_TRUE(has_state("liar", "2.0.0", "set_aside")) << listed().dump(1);
  const auto is_done = [&] {
    return site.cape({"subject", "history", "a"}).out.find("done") != std::string::npos;
  };
  EXPECT_TRUE(Site::eventually(is_done, long_enough)) << "it reads again" << site.up_log();
}

INSTANTIATE_TEST_SUITE_P(, SourceVersions, ::testing::Values("liar_2_crashes", "liar_2_lies"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace cape::test
