#include "cli/progress.hpp"

#include <gmock/gmock.h>
#include <termios.h>

#include "core/clock.hpp"
#include "core/unique_fd.hpp"
#include "tests/fakes/pty.hpp"

namespace cape::cli {
namespace {

using test::Pty;
using Lines = std::vector<std::string>;

constexpr std::int64_t started = 1000 * ns_per_s, late = started + ns_per_s;

auto shows(Lines lines) {
  return [lines = std::move(lines)](Pty& pty) { return pty.lines() == lines; };
}

TEST(Progress, IsDrawnOverItself) {
  Pty pty;
  Progress progress(pty.slave(), started);

  progress.show(late, "1,000 of many events");
  ASSERT_TRUE(pty.eventually(shows({"1,000 of many events"}))) << pty.bytes();
  progress.show(late + ns_per_s, "2,000 events");

  EXPECT_TRUE(pty.eventually(shows({"2,000 events"}))) << pty.bytes();
}

TEST(Progress, IsErasedAtTheEndAndNeverDrawnAgain) {
  Pty pty;
  Progress progress(pty.slave(), started);
  progress.show(late, "half");
  ASSERT_TRUE(pty.eventually(shows({"half"})));

  progress.end();
  progress.show(late + ns_per_s, "more");

  EXPECT_TRUE(pty.eventually(shows({""}))) << pty.bytes();
  EXPECT_TRUE(pty.bytes().ends_with("\r")) << "what comes next begins at the left";
}

TEST(Progress, IsDrawnAFewTimesASecondAndNotAtOnce) {
  Pty pty;
  Progress progress(pty.slave(), started);

  int due = 0;
  for (std::int64_t ms = 0; ms < 2000; ++ms) {
    const std::int64_t now_ns = started + ms * ns_per_ms;
    due += progress.is_due(now_ns) ? 1 : 0;
    EXPECT_FALSE(ms < 500 && progress.is_due(now_ns));
    progress.show(now_ns, "x");
  }

  EXPECT_EQ(due, 8);
}

TEST(Progress, NothingIsWrittenWhereThereIsNoTerminal) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  {
    Progress progress(write_end.get(), started);
    EXPECT_FALSE(progress.is_due(late));
    progress.show(late, "half");
  }
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), -1);
}

TEST(Progress, IsCutWhereTheTerminalEnds) {
  Pty pty(20);
  Progress progress(pty.slave(), started);

  progress.show(late, "1234567890123456789012345");

  EXPECT_TRUE(pty.eventually(shows({"1234567890123456789"}))) << pty.bytes();
}

TEST(Progress, GivesWayToALineOfTheLog) {
  Pty pty;
  const UniqueFd before(::dup(STDERR_FILENO));
  ASSERT_GE(::dup2(pty.slave(), STDERR_FILENO), 0);
  {
    Progress progress(pty.slave(), started);
    progress.show(late, "a line that is longer than the other");
    log::write_plain("of the log");
    progress.show(late + ns_per_s, "on it goes");
    EXPECT_TRUE(pty.eventually(shows({"of the log", "on it goes"}))) << pty.bytes();
  }
  log::write_plain("the end");
  ASSERT_GE(::dup2(before.get(), STDERR_FILENO), 0);

  EXPECT_TRUE(pty.eventually(shows({"of the log", "the end", ""}))) << pty.bytes();
}

// It would wait for ever, and the test with it.
TEST(Progress, DoesNotWaitForATerminalThatIsStopped) {
  Pty pty;
  Progress progress(pty.slave(), started);
  ASSERT_EQ(::tcflow(pty.slave(), TCOOFF), 0);

  progress.show(late, "half");
  EXPECT_EQ(pty.bytes(), "");
  ASSERT_EQ(::tcflow(pty.slave(), TCOON), 0);
  progress.show(late + ns_per_s, "more");

  EXPECT_TRUE(pty.eventually(shows({"more"}))) << pty.bytes();
}

TEST(Progress, NumbersAreSetInThousands) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1'000), "1,000");
  EXPECT_EQ(with_commas(28'069'123), "28,069,123");
}

}  // namespace
}  // namespace cape::cli
