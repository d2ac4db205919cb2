// A whole host with real children, spoken to as a broker does.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/host/fake_broker.hpp"
#include "tests/host/worker_bench.hpp"

namespace cape::host {
namespace {

using test::FakeBroker;
using test::run_job;
using ::testing::HasSubstr;

constexpr const char* recording = R"(
[topology.t]
domain = "d"
[topology.t.lambda.write]
plugin = "record"
grant = { state = true }
)";

std::string recorded(const FakeBroker& broker) {
  return test::read_file(broker.dir / "data" / "state" / "t" / "write" / "record.log");
}

TEST(HostLoop, RunsJobsInASandboxedChildAndReportsEachOnce) {
  FakeBroker broker(recording, {"record"});
  ASSERT_TRUE(broker.until_credit());

  std::vector<wire::RunJob> jobs;
  for (JobId id = 1; id <= 40; ++id) jobs.push_back(run_job(id, "s" + std::to_string(id), 1, 3));
  broker.run(std::move(jobs));

  ASSERT_TRUE(broker.until_statuses(40));
  for (const auto& [job, statuses] : broker.statuses) {
    ASSERT_EQ(statuses.size(), 1u) << "job " << job;
    EXPECT_EQ(statuses[0].end.kind, OutcomeKind::ok) << statuses[0].end.reason;
    EXPECT_EQ(statuses[0].done_to, 3);
    EXPECT_EQ(statuses[0].events_done, 3u);
  }
  const std::string log = recorded(broker);
  EXPECT_EQ(std::ranges::count(log, '\n'), 120);
  EXPECT_THAT(log, HasSubstr("s1 1 0 1\ns1 2 0 1\ns1 3 0 1\n"));
  ASSERT_TRUE(broker.until(
      [&] { return !broker.report.children.empty() && broker.report.children[0].level != '-'; }));
  EXPECT_EQ(broker.report.children[0].plugin, "record");
}

std::set<std::int32_t> our_children() {
  std::set<std::int32_t> found;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream pids(thread.path() / "children");
    found.insert(std::istream_iterator<std::int32_t>(pids), {});
  }
  return found;
}

// Those in which plugin files are inspected come and go; the spare stays, and becomes the plugin's child.
TEST(HostLoop, KeepsASpareForAPluginThatHasYetToCome) {
  FakeBroker broker("[topology.t]\ndomain = \"d\"\n[topology.t.lambda.guest]\nplugin = \"dies\"\n", {});
  std::map<std::int32_t, std::int64_t> seen_ns;
  ASSERT_TRUE(broker.until([&] {
    for (const std::int32_t pid : our_children()) seen_ns.emplace(pid, boot_ns());
    const std::set<std::int32_t> now = our_children();
    return now.size() == 1 &&
           boot_ns() - seen_ns.emplace(*now.begin(), boot_ns()).first->second > 300 * ns_per_ms;
  }));

  broker.drop("dies");
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1)});

  ASSERT_TRUE(broker.until([&] { return !broker.report.children.empty(); }));
  EXPECT_TRUE(seen_ns.contains(broker.report.children[0].pid));
}

TEST(HostLoop, KeepsNoSpareWhereEveryLambdaHasAGrant) {
  FakeBroker broker(recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1)});
  ASSERT_TRUE(broker.until_statuses(1));

  EXPECT_TRUE(broker.until([] { return our_children().size() == 1; })) << our_children().size();
}

TEST(HostLoop, ReportsWhatPluginsCountAlsoAfterTheirChildEnded) {
  FakeBroker broker(recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  const auto counted = [&](double wanted) {
    return broker.until([&] {
      const auto& metrics = broker.report.metrics;
      return metrics.size() == 1 && metrics[0].name == "recorded" && metrics[0].value == wanted;
    });
  };

  broker.run({run_job(1, "a", 1, 3)});
  ASSERT_TRUE(broker.until_statuses(1));
  ASSERT_TRUE(counted(3));
  ASSERT_EQ(::kill(broker.report.children.at(0).pid, SIGKILL), 0);
  broker.run({run_job(2, "a", 4, 2)});
  ASSERT_TRUE(broker.until_statuses(2));

  EXPECT_TRUE(counted(5));
}

TEST(HostLoop, SaysWhyAPluginDoesNotServe) {
  FakeBroker broker(recording, {"no_note"});
  ASSERT_TRUE(broker.until([&] { return broker.credits[0].trouble.contains("no plugin 'record'"); }))
      << broker.credits[0].trouble;

  EXPECT_EQ(broker.credits[0].jobs_max, 0u);
  ASSERT_TRUE(broker.until([&] { return !broker.report.set_aside.empty(); }));
  EXPECT_THAT(broker.report.set_aside[0].file, HasSubstr("no_note.so"));
}

TEST(HostLoop, TellsTheVerdictOfAFileBesideIt) {
  FakeBroker broker(recording, {"no_note"});
  const auto verdict_of = [&](const char* name) {
    return test::read_file(broker.dir / "plugins" / (std::string(name) + ".status.json"));
  };
  ASSERT_TRUE(broker.until([&] { return verdict_of("no_note").contains("set_aside"); }))
      << verdict_of("no_note");
  EXPECT_THAT(verdict_of("no_note"), HasSubstr("reason"));

  broker.drop("record");

  ASSERT_TRUE(broker.until([&] { return verdict_of("record").contains("serves"); }));
  EXPECT_THAT(verdict_of("record"), HasSubstr("\"id\": \"record\""));
}

TEST(HostLoop, GoesBackToTheLastGoodBytesWhenTheNewOnesCrashOnTheirFirstEvents) {
  FakeBroker broker(recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  const std::string good = broker.credits[0].hash;
  broker.run({run_job(1, "a", 1, 1)});
  ASSERT_TRUE(broker.until_statuses(1));

  fs::copy_file(FakeBroker::zoo_dir() / "record_2_crashes.so", broker.dir / "plugins" / "record.so",
                fs::copy_options::overwrite_existing);
  ASSERT_TRUE(
      broker.until([&] { return !broker.credits[0].hash.empty() && broker.credits[0].hash != good; }));
  for (JobId id = 2; id <= 4; ++id) {
    broker.run({run_job(id, "a", 2, 1)});
    ASSERT_TRUE(broker.until_statuses(id));
    EXPECT_EQ(broker.statuses[id].at(0).end.kind, OutcomeKind::signaled);
  }

  ASSERT_TRUE(broker.until([&] { return broker.credits[0].hash == good; })) << broker.credits[0].trouble;
  broker.run({run_job(5, "a", 2, 1)});
  ASSERT_TRUE(broker.until_statuses(5));
  EXPECT_EQ(broker.statuses[5].at(0).end.kind, OutcomeKind::ok);
  ASSERT_TRUE(broker.until([&] { return !broker.report.set_aside.empty(); }));
  EXPECT_THAT(broker.report.set_aside[0].reason, HasSubstr("serves again until the file changes"));
  const std::string verdict = test::read_file(broker.dir / "plugins" / "record.status.json");
  EXPECT_THAT(verdict, HasSubstr("set_aside"));
  EXPECT_THAT(verdict, HasSubstr("still_good"));
}

TEST(HostLoop, ServesAPluginThatIsDroppedLater) {
  FakeBroker broker(recording, {});
  ASSERT_TRUE(broker.until([&] { return broker.credits[0].trouble.contains("no plugin 'record'"); }));

  broker.drop("record");

  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1)});
  ASSERT_TRUE(broker.until_statuses(1));
  EXPECT_EQ(broker.statuses[1][0].end.kind, OutcomeKind::ok) << broker.statuses[1][0].end.reason;
}

TEST(HostLoop, RefusesAWishThatIsNotGranted) {
  FakeBroker broker("[topology.t]\ndomain = \"d\"\n[topology.t.lambda.write]\nplugin = \"record\"\n",
                    {"record"});

  EXPECT_TRUE(broker.until([&] { return broker.credits[0].trouble.contains("wants a state directory"); }))
      << broker.credits[0].trouble;
}

TEST(HostLoop, NamesTheEventThatCrashedAndRunsTheOthers) {
  FakeBroker broker(R"(
[topology.t]
domain = "d"
[topology.t.lambda.crash]
plugin = "segv"
config = { subject = "bad" }
children_max = 1
)",
                    {"segv"});
  ASSERT_TRUE(broker.until_credit());

  broker.run({run_job(1, "bad", 5, 2), run_job(2, "good", 1, 2), run_job(3, "fine", 1, 2)});

  ASSERT_TRUE(broker.until_statuses(3));
  const wire::JobStatus& bad = broker.statuses[1][0];
  EXPECT_EQ(bad.end.kind, OutcomeKind::signaled) << bad.end.reason;
  EXPECT_TRUE(bad.started);
  EXPECT_EQ(bad.failed_sequence, 5);
  EXPECT_EQ(broker.statuses[2][0].end.kind, OutcomeKind::ok) << broker.statuses[2][0].end.reason;
  EXPECT_EQ(broker.statuses[3][0].end.kind, OutcomeKind::ok) << broker.statuses[3][0].end.reason;
  EXPECT_FALSE(broker.statuses.contains(9)) << "a job of the old session ran";
}

TEST(HostLoop, KillsAHangAndRunsTheOtherSubjectsMeanwhile) {
  FakeBroker broker(R"(
[topology.t]
domain = "d"
[topology.t.lambda.loop]
plugin = "hang"
config = { subject = "bad" }
timeout = "1s"
)",
                    {"hang"});
  ASSERT_TRUE(broker.until_credit());

  const std::int64_t begin_ns = boot_ns();
  broker.run({run_job(1, "bad"), run_job(2, "good"), run_job(3, "fine")});

  ASSERT_TRUE(broker.until_statuses(2));
  const std::int64_t others_ns = boot_ns() - begin_ns;
  ASSERT_TRUE(broker.until_statuses(3));
  EXPECT_EQ(broker.statuses[1][0].end.kind, OutcomeKind::hung) << broker.statuses[1][0].end.reason;
  EXPECT_EQ(broker.statuses[2][0].end.kind, OutcomeKind::ok);
  EXPECT_EQ(broker.statuses[3][0].end.kind, OutcomeKind::ok);
  EXPECT_LT(others_ns, ns_per_s) << "they waited for the hang";
}

constexpr const char* slow_recording = R"(
[topology.t]
domain = "d"
[topology.t.lambda.write]
plugin = "record"
grant = { state = true }
config = { sleep_us = 300000 }
)";

TEST(HostLoop, DrainsOnStop) {
  FakeBroker broker(slow_recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1, "a"), run_job(2, "b"), run_job(3, "c"), run_job(4, "d")});
  ASSERT_TRUE(broker.until_statuses(1));

  broker.loop->stop();

  ASSERT_TRUE(broker.until([&] { return broker.said_goodbye; }));
  broker.thread.join();
  EXPECT_TRUE(broker.result.has_value());
  EXPECT_EQ(broker.statuses.size(), 4u);
  std::size_t done = 0;
  for (const auto& [job, statuses] : broker.statuses) {
    ASSERT_EQ(statuses.size(), 1u);
    if (statuses[0].end.kind == OutcomeKind::ok)
      ++done;
    else
      EXPECT_FALSE(statuses[0].started) << statuses[0].end.reason;
  }
  EXPECT_LT(done, 4u);
  EXPECT_EQ(std::ranges::count(recorded(broker), '\n'), static_cast<std::ptrdiff_t>(done));
}

TEST(HostLoop, EndsItsJobsAndSaysHelloAnewWhenTheBrokerForgotIt) {
  FakeBroker broker(slow_recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1, "a"), run_job(2, "b")});
  ASSERT_TRUE(broker.until_statuses(1));
  const SessionId old = broker.session;

  broker.send(wire::HelloPlease{broker.session});

  ASSERT_TRUE(broker.until([&] { return broker.hellos == 2; }));
  EXPECT_NE(broker.session, old);
  ASSERT_TRUE(broker.until_credit());
  EXPECT_FALSE(broker.statuses.contains(2));
  std::vector<wire::RunJob> late{run_job(9, "late")};
  late[0].hash = broker.credits[0].hash;
  broker.send(wire::RunJobs{old, late});  // it lay in a queue meanwhile
  broker.run({run_job(3, "c")});
  ASSERT_TRUE(broker.until([&] { return broker.statuses.contains(3); }));
  EXPECT_EQ(broker.statuses[3][0].end.kind, OutcomeKind::ok) << broker.statuses[3][0].end.reason;
}

TEST(HostLoop, StopsItsJobsWhenTheBrokerFallsSilentForALease) {
  FakeBroker broker(R"(
[topology.t]
domain = "d"
[topology.t.lambda.loop]
plugin = "hang"
)",
                    {"hang"});
  broker.answers = false;
  ASSERT_TRUE(broker.until([&] { return broker.session != 0; }));
  broker.lease_ms = 500;
  broker.welcome();
  ASSERT_TRUE(broker.until_credit());

  broker.run({run_job(1, "a")});

  ASSERT_TRUE(broker.until_statuses(1));
  const OutcomeKind kind = broker.statuses[1][0].end.kind;
  EXPECT_TRUE(kind == OutcomeKind::cancelled || kind == OutcomeKind::external_kill) << name_of(kind);
  EXPECT_GE(broker.heartbeats, 1);
}

TEST(HostLoop, NamesWhatRunsInItsHeartbeats) {
  FakeBroker broker(R"(
[topology.t]
domain = "d"
[topology.t.lambda.loop]
plugin = "hang"
)",
                    {"hang"});
  broker.lease_ms = 600;
  ASSERT_TRUE(broker.until_credit());

  broker.run({run_job(7, "a")});

  EXPECT_TRUE(broker.until([&] { return broker.running.contains(7); }));
  broker.send(wire::CancelJob{broker.session, 7});
  ASSERT_TRUE(broker.until_statuses(1));
  EXPECT_EQ(broker.statuses[7][0].end.kind, OutcomeKind::cancelled) << broker.statuses[7][0].end.reason;
}

TEST(HostLoop, ReplacesAChildThatIsKilledFromOutside) {
  FakeBroker broker(recording, {"record"});
  ASSERT_TRUE(broker.until_credit());
  broker.run({run_job(1, "a")});
  ASSERT_TRUE(broker.until([&] { return broker.statuses.contains(1) && !broker.report.children.empty(); }));

  ASSERT_EQ(::kill(broker.report.children[0].pid, SIGKILL), 0);
  broker.run({run_job(2, "b")});

  ASSERT_TRUE(broker.until_statuses(2));
  EXPECT_EQ(broker.statuses[2][0].end.kind, OutcomeKind::ok) << broker.statuses[2][0].end.reason;
}

TEST(HostLoop, ReportsAStartThatFailsAsTroubleAndNotAsAnAttempt) {
  FakeBroker broker(R"(
[topology.t]
domain = "d"
[topology.t.lambda.write]
plugin = "record"
grant = { state = true }
config = { sleep_us = "not a number" }
)",
                    {"record"});
  ASSERT_TRUE(broker.until_credit());

  broker.run({run_job(1, "a")});

  ASSERT_TRUE(broker.until_statuses(1));
  EXPECT_EQ(broker.statuses[1][0].end.kind, OutcomeKind::setup);
  EXPECT_FALSE(broker.statuses[1][0].started);
  ASSERT_TRUE(broker.until([&] { return broker.credits[0].jobs_max == 0; }));
  EXPECT_THAT(broker.credits[0].trouble, HasSubstr("sleep_us"));
}

}  // namespace
}  // namespace cape::host
