// Guests that write into what they share with the host, and guests that talk too much. The host takes nothing
// on trust: the child is ended with PROTOCOL and the field, each job gets one end, and the host is as before.
#include <dirent.h>
#include <unistd.h>

#include <map>

#include "host/child/child_link.hpp"
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

int open_descriptors() {
  int count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count;
}

class ZooRing : public LambdaChildTest, public testing::WithParamInterface<const char*> {
 protected:
  // Until the child is over; one that the host does not catch is cancelled.
  Reports watch() {
    return poll_until<LambdaReport>(*child_, [](const Reports& all) {
      return !pick<ChildEnded>(all).empty() || pick<ChildJobDone>(all).size() > 1;
    });
  }
};

TEST_P(ZooRing, LieEndsTheChildWithProtocolAndEachJobOnce) {
  start("rings");
  give(job_of(1, "before", {"fine"}));
  ASSERT_EQ(wait_done(1).size(), 1u);
  give(job_of(2, "s", {GetParam(), "fine", "fine"}));

  const Reports reports = watch();

  const auto ended = pick<ChildEnded>(reports);
  ASSERT_EQ(ended.size(), 1u) << "the host believed it";
  EXPECT_EQ(ended[0].end.kind, OutcomeKind::protocol) << ended[0].end.reason;
  const std::size_t ends = pick<ChildJobDone>(reports).size() + ended[0].left.size();
  EXPECT_EQ(ends, 1u) << "of job 2";
  EXPECT_TRUE(pick<ChildJobDone>(reports).empty()) << "and no success without work";
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooRing,
                         testing::Values("head_huge", "head_back", "head_odd", "frame_huge", "frame_empty",
                                         "frame_unknown", "second_ready", "job_unknown", "done_too_many",
                                         "done_without_work", "done_twice"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_F(LambdaChildTest, ZooTailBeyondWhatWasWrittenEndsTheChildAtTheNextJob) {
  start("rings");
  give(job_of(1, "s", {"tail_huge"}));
  wait_running(1, 1);

  Reports reports;
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  for (JobId id = 2; pick<ChildEnded>(reports).empty(); ++id) {
    ASSERT_LT(boot_ns(), deadline_ns) << "the host believed it";
    (void)child_->submit(job_of(id, "s", {"fine"}));
    child_->poll(reports);
  }

  EXPECT_EQ(pick<ChildEnded>(reports).at(0).end.kind, OutcomeKind::protocol);
  EXPECT_TRUE(pick<ChildJobDone>(reports).empty());
}

// A status that is none is a failure with its number, not a success.
TEST_F(LambdaChildTest, ZooUnknownEndIsNoSuccess) {
  start("rings");
  give(job_of(1, "s", {"end_unknown"}));

  const Reports reports = wait_any_end();

  for (const ChildJobDone& done : pick<ChildJobDone>(reports)) {
    EXPECT_NE(done.status.end.kind, OutcomeKind::ok);
    EXPECT_EQ(done.status.events_done, 0u);
  }
  for (const ChildEnded& ended : pick<ChildEnded>(reports)) EXPECT_EQ(ended.end.kind, OutcomeKind::protocol);
}

// The host looks at each word once, and at a copy of everything else: what a thread of the guest changes
// behind its back ends the child, or does nothing. Each job has one end.
TEST_F(LambdaChildTest, ZooThreadThatWritesOverEverythingMeanwhileIsNotBelieved) {
  constexpr JobId jobs = 20;
  for (int round = 0; round < 10; ++round) {
    start("rings");
    give(job_of(1, "s", {"race"}));
    std::map<JobId, int> ends;
    Reports reports;
    JobId given = 1;
    const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms,
                       race_ns = boot_ns() + 100 * ns_per_ms;
    while (pick<ChildEnded>(reports).empty()) {
      ASSERT_LT(boot_ns(), deadline_ns);
      if (given < jobs && child_->submit(job_of(given + 1, "s", {"fine", "fine"}), false)) ++given;
      child_->wake();
      if (boot_ns() > race_ns) child_->kill({OutcomeKind::cancelled, "it raced for long enough"});
      wait_readable(child_->fd(), boot_ns() + 2 * ns_per_ms);
      child_->poll(reports);
    }
    for (const ChildJobDone& done : pick<ChildJobDone>(reports)) ++ends[done.status.job];
    for (const wire::JobStatus& left : pick<ChildEnded>(reports).at(0).left) ++ends[left.job];
    EXPECT_EQ(ends.size(), given);
    for (const auto& [job, count] : ends) EXPECT_EQ(count, 1) << "job " << job;
    child_.reset();
  }
}

class ZooDoorbell : public LambdaChildTest, public testing::WithParamInterface<const char*> {};

TEST_P(ZooDoorbell, DoesNotGetInTheWayOfTheHost) {
  const int before = open_descriptors();
  start("rings");
  give(job_of(1, "s", {GetParam(), "fine"}));

  const Reports reports = wait_any_end();

  // Refused, or ended, or of no effect: in each case one end of the job, and no descriptor is left.
  std::size_t ends = pick<ChildJobDone>(reports).size();
  for (const ChildEnded& ended : pick<ChildEnded>(reports)) ends += ended.left.size();
  EXPECT_EQ(ends, 1u);
  child_.reset();
  EXPECT_EQ(open_descriptors(), before);
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooDoorbell,
                         testing::Values("doorbells", "shutdown", "close", "blocking", "descriptors"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_F(LambdaChildTest, ZooOutputOverTheCapIsLimitAndTheNeighboursIsWhole) {
  start("acts");
  give(job_of(1, "a", {"emit:first", "emit_large:1048577"}));
  give(job_of(2, "b", {"emit:second"}));

  const auto done = wait_done(2);

  EXPECT_THAT(done.at(0).outputs, ElementsAre("first"));
  EXPECT_EQ(done.at(0).status.end.kind, OutcomeKind::limit);
  EXPECT_THAT(done.at(1).outputs, ElementsAre("second"));
}

TEST_F(LambdaChildTest, ZooReasonWithControlCharactersIsPrintable) {
  const ChildJobDone done = run("acts", "fail:\x1b[2J\nINFO all is well\xff");

  EXPECT_EQ(done.status.end.kind, OutcomeKind::failed);
  EXPECT_EQ(done.status.end.reason.find_first_of("\x1b\n\xff"), std::string::npos) << done.status.end.reason;
}

TEST_F(LambdaChildTest, ZooFloodOfTheLogIsCutAndPrintable) {
  start("acts");
  give(job_of(1, "a", {"log:200000"}));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildJobDone, LambdaReport>(1));

  EXPECT_EQ(pick<ChildJobDone>(reports).at(0).status.end.kind, OutcomeKind::ok);
  const auto lines = pick<ChildLog>(reports);
  EXPECT_LT(lines.size(), 20'000u);
  for (const ChildLog& line : lines) ASSERT_EQ(line.text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace cape::child
