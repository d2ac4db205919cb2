// Since when an event runs, by words that the child may write as it likes.
#include "host/child/progress_watch.hpp"

#include <gtest/gtest.h>

namespace cape::child {
namespace {

constexpr std::uint64_t given = 10;

ChildWords at(std::uint64_t progress, std::uint64_t finished, Phase phase = Phase::process) {
  return {.progress = progress, .finished = finished, .phase = phase};
}

TEST(ProgressWatch, EachStartAndEachEndBeginsAnew) {
  ProgressWatch watch;

  EXPECT_EQ(watch.look(at(1, 0), 1, given, 100).started_ns, 100);
  EXPECT_EQ(watch.look(at(1, 0), 1, given, 200).started_ns, 100);
  EXPECT_EQ(watch.look(at(1, 1), 1, given, 300).started_ns, 300);
  EXPECT_EQ(watch.look(at(2, 1), 2, given, 400).started_ns, 400);
}

TEST(ProgressWatch, HeartbeatMovesItsOwnTimeAlone) {
  ProgressWatch watch;
  watch.look(at(1, 0), 1, given, 100);

  const ProgressWatch::Look look = watch.look(at(1, 0), 2, given, 200);

  EXPECT_EQ(look.started_ns, 100);
  EXPECT_EQ(look.heartbeat_ns, 200);
}

TEST(ProgressWatch, WordsThatGoToAndFroPutNothingOff) {
  ProgressWatch watch;
  watch.look(at(5, 4), 1, given, 100);

  for (std::int64_t now = 200; now < 5'000; now += 100) {
    const bool back = now % 200 == 0;
    const ProgressWatch::Look look =
        watch.look(back ? at(0, 0, Phase::idle) : at(5, 4, Phase::create), 1, given, now);
    EXPECT_EQ(look.started_ns, 100);
    EXPECT_EQ(look.words.progress, 5u) << "and the same event runs";
    EXPECT_EQ(look.words.finished, 4u);
  }
}

TEST(ProgressWatch, WordsThatRiseForEverPutOffNoMoreThanWhatWasGiven) {
  ProgressWatch watch;
  int begun = 0;

  for (std::uint64_t word = 1; word < 1'000; ++word) {
    const auto now = static_cast<std::int64_t>(word);
    if (watch.look(at(word, word - 1, word % 2 == 0 ? Phase::flush : Phase::process), word, given, now)
            .started_ns == now)
      ++begun;
  }

  EXPECT_LE(begun, 2 * static_cast<int>(given) + 2);
}

TEST(ProgressWatch, FlushIsNoPartOfTheEventBeforeIt) {
  ProgressWatch watch;
  watch.look(at(1, 0), 1, given, 100);

  EXPECT_EQ(watch.look(at(1, 0, Phase::flush), 1, given, 200).started_ns, 200);
  EXPECT_EQ(watch.look(at(1, 0, Phase::process), 1, given, 300).started_ns, 200);
  EXPECT_EQ(watch.look(at(1, 0, Phase::flush), 1, given, 400).started_ns, 200)
      << "a second one of the same place";
}

TEST(ProgressWatch, TimeWithoutWorkIsNoEvents) {
  ProgressWatch watch;
  watch.look(at(1, 1, Phase::idle), 1, given, 100);

  watch.restart();

  EXPECT_EQ(watch.look(at(1, 1, Phase::idle), 1, given, 9'000).started_ns, 9'000);
}

}  // namespace
}  // namespace cape::child
