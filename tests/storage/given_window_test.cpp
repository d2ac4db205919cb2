#include "storage/given_window.hpp"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace cape::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EventBlock block(Sequence from, Sequence to, const std::vector<Sequence>& events) {
  EventBlock made;
  made.proven_from = from;
  made.proven_to = to;
  for (Sequence sequence : events) made.add(sequence, 0, "t", "");
  return made;
}

std::vector<Sequence> note(GivenWindow& window, Sequence from, Sequence to,
                           const std::vector<Sequence>& events, std::int64_t wall_s = 1) {
  return window.note(block(from, to, events), to, wall_s);
}

TEST(GivenWindow, OfEventsInARowIsOneRun) {
  GivenWindow window;

  EXPECT_THAT(note(window, 1, 3, {1, 2, 3}), IsEmpty());
  EXPECT_THAT(note(window, 4, 5, {4, 5}, 7), IsEmpty());

  EXPECT_EQ(window, (GivenWindow{.from = 1, .to = 5, .runs = {{1, 5}}, .given_wall_s = 7}));
}

TEST(GivenWindow, TellsWhatAppearedBetweenEventsOnce) {
  GivenWindow window;
  note(window, 1, 9, {2, 9});

  EXPECT_THAT(note(window, 1, 9, {2, 5, 6, 9}), ElementsAre(5, 6));
  EXPECT_THAT(note(window, 1, 9, {2, 5, 6, 9}), IsEmpty());
}

TEST(GivenWindow, TellsWhatAppearedBeforeTheFirstEventAndBehindTheLast) {
  GivenWindow window;
  note(window, 1, 9, {5});

  EXPECT_THAT(note(window, 1, 9, {3, 5}), ElementsAre(3));
  EXPECT_THAT(note(window, 1, 9, {3, 5, 9}), ElementsAre(9)) << "the source had said that nothing is there";
}

TEST(GivenWindow, DoesNotTellOfNewEventsNorOfMissingOnes) {
  GivenWindow window;
  note(window, 1, 5, {1, 5});

  EXPECT_THAT(note(window, 1, 8, {5, 7, 8}), IsEmpty()) << "the source may have dropped the first";
  EXPECT_TRUE(window.has(1));
  EXPECT_EQ(window.to, 8);
}

TEST(GivenWindow, BelievesOnlyWhatIsProven) {
  GivenWindow window;
  EXPECT_THAT(window.note(block(1, 9, {2, 9}), 5, 1), IsEmpty());
  EXPECT_EQ(window.to, 5);

  EXPECT_THAT(note(window, 6, 9, {8, 9}), IsEmpty());
  EXPECT_THAT(window.note(block(1, 9, {2, 4, 7}), 5, 1), ElementsAre(4));
  EXPECT_THAT(window.note(block(4, 2, {}), 2, 1), IsEmpty()) << "it proves nothing";
}

TEST(GivenWindow, KeepsTheLast64) {
  GivenWindow window;
  std::vector<Sequence> events;
  for (Sequence i = 1; i <= 1000; ++i) events.push_back(2 * i);
  note(window, 1, 2000, events);

  EXPECT_EQ(window.size(), GivenWindow::sequences_max);
  EXPECT_EQ(window.from, 2000 - 2 * 63);
  EXPECT_THAT(note(window, 1, 1001, {501}), IsEmpty()) << "nobody remembers what lay there";
  EXPECT_THAT(note(window, 1900, 2000, {1901, 1902}), ElementsAre(1901));
  EXPECT_EQ(window.size(), GivenWindow::sequences_max);
}

TEST(GivenWindow, BeginsAnewBehindWhatItDoesNotKnow) {
  GivenWindow window;
  note(window, 1, 5, {1, 5});

  EXPECT_THAT(note(window, 7, 9, {8}), IsEmpty());

  EXPECT_EQ(window, (GivenWindow{.from = 7, .to = 9, .runs = {{8, 8}}, .given_wall_s = 1}));
}

// Who has passed them may have missed them, and nobody would know.
TEST(GivenWindow, TakesNothingInThatLiesBelow) {
  GivenWindow window;
  note(window, 10, 12, {10, 12});

  EXPECT_THAT(note(window, 4, 11, {5, 9, 10}), IsEmpty());

  EXPECT_EQ(window, (GivenWindow{.from = 10, .to = 12, .runs = {{10, 10}, {12, 12}}, .given_wall_s = 1}));
}

TEST(GivenWindow, StaysAsItWasToldWhenNothingNewWasHandedOut) {
  GivenWindow window;
  note(window, 1, 5, {1, 5}, 3);

  note(window, 1, 9, {1, 5}, 100);

  EXPECT_EQ(window.given_wall_s, 3);
  EXPECT_EQ(window.to, 9);
}

// Against a set: whatever was read in whatever order, exactly those events count as late that were not there
// when the source gave what lies round them.
TEST(GivenWindow, HoldsWhatASetWouldHold) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](Sequence n) { return static_cast<Sequence>(random() % static_cast<unsigned>(n)); };

  for (int round = 0; round < 300; ++round) {
    std::set<Sequence> source;
    GivenWindow window;
    std::set<Sequence> known;
    Sequence last = 0;
    for (int step = 0; step < 60; ++step) {
      for (Sequence i = below(20); i > 0; --i) source.insert(last += 1 + below(3));
      if (last > 0 && random() % 3 == 0) source.insert(1 + below(last));
      const Sequence from = std::max<Sequence>(1, last - below(120)), to = std::max(from, last - below(5));
      std::vector<Sequence> events;
      for (auto at = source.lower_bound(from); at != source.end() && *at <= to; ++at) events.push_back(*at);
      const GivenWindow before = window;
      std::vector<Sequence> expected;
      for (Sequence sequence : events)
        if (before.from <= sequence && sequence <= before.to && from <= before.to + 1 &&
            !known.contains(sequence))
          expected.push_back(sequence);

      ASSERT_EQ(note(window, from, to, events), expected) << "step " << step;

      known.insert(events.begin(), events.end());
      ASSERT_LE(window.size(), GivenWindow::sequences_max);
      Sequence end = 0;
      for (const SequenceRange& run : window.runs) {
        ASSERT_GT(run.first, end == 0 ? window.from - 1 : end + 1) << "two runs touch";
        for (Sequence sequence = run.first; sequence <= run.last; ++sequence)
          ASSERT_TRUE(known.contains(sequence));
        end = run.last;
      }
      ASSERT_LE(end, window.to);
      for (auto at = known.lower_bound(window.from); at != known.end() && *at <= window.to; ++at)
        ASSERT_TRUE(window.has(*at));
    }
  }
}

}  // namespace
}  // namespace cape::storage
