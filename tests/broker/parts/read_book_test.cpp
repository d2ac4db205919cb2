#include "broker/tracker/read_book.hpp"

#include <gtest/gtest.h>

namespace cape::tracker {
namespace {

PingIn ping(std::string_view subject, std::uint64_t generation = 0) {
  return {.domain = 0, .subject = subject, .ping_ns = 100, .generation = generation};
}

TEST(ReadBook, MergesPingsIntoAReadThatHasNotBegun) {
  ReadBook book(1, 10);

  EXPECT_EQ(book.add(ping("a", 1)), Taken::queued);
  EXPECT_EQ(book.add(ping("a", 3)), Taken::merged);
  EXPECT_EQ(book.add(ping("a", 2)), Taken::merged);

  const ReadId read = *book.begin(0);
  EXPECT_EQ(book.generation(read), 3u);
  EXPECT_EQ(book.begin(0), std::nullopt);
}

TEST(ReadBook, LooksAgainAtAllThatIsAskedFor) {
  ReadBook book(1, 10);
  book.add(ping("a"));
  EXPECT_EQ(book.add({.domain = 0, .subject = "a", .look = {.from = 5, .to = 9}}), Taken::merged);
  EXPECT_EQ(book.add({.domain = 0, .subject = "a", .look = {.from = 3, .to = 7}}), Taken::merged);
  book.add(ping("a"));

  const ReadId read = *book.begin(0);
  EXPECT_EQ(book.look(read).from, 3);
  EXPECT_EQ(book.look(read).to, 9);
  EXPECT_EQ(book.add({.domain = 0, .subject = "a", .look = {.from = 20, .to = 21}}), Taken::again);
  EXPECT_EQ(book.look(read).to, 9) << "it came after the read began";
  book.retry_later(read, 5);
  book.wake_rested(5);
  const ReadId again = *book.begin(0);
  EXPECT_EQ(book.look(again).from, 3) << "what failed is looked at again";
  EXPECT_EQ(book.look(again).to, 21);

  book.add({.domain = 0, .subject = "a", .look = {.from = 30, .to = 31}});
  book.finish(again);
  const ReadId last = *book.begin(0);
  EXPECT_EQ(book.look(last).from, 30);
  book.add(ping("a"));
  book.finish(last);
  EXPECT_TRUE(book.look(*book.begin(0)).empty());
}

TEST(ReadBook, WhatIsReadOfADomainIsOutdatedUntilItIsReadAnew) {
  ReadBook book(2, 10);
  book.add(ping("a"));
  book.add(ping("b"));
  book.add({.domain = 1, .subject = "a"});
  const ReadId first = *book.begin(0), other = *book.begin(1);

  book.outdate(0);

  EXPECT_TRUE(book.is_outdated(first));
  EXPECT_FALSE(book.is_outdated(other)) << "another domain's";
  EXPECT_FALSE(book.is_outdated(*book.begin(0))) << "it had not begun";
  book.retry_later(first, 5);
  book.wake_rested(5);
  EXPECT_FALSE(book.is_outdated(*book.begin(0)));
}

TEST(ReadBook, ReadsOnceMoreForAPingThatCameWhileReading) {
  ReadBook book(1, 10);
  book.add(ping("a", 1));
  const ReadId first = *book.begin(0);

  EXPECT_EQ(book.add(ping("a", 2)), Taken::again);
  EXPECT_EQ(book.generation(first), 1u) << "the read under way began before that ping";
  book.finish(first);

  const ReadId second = *book.begin(0);
  EXPECT_EQ(book.subject(second), "a");
  EXPECT_EQ(book.generation(second), 2u);
  book.finish(second);
  EXPECT_EQ(book.size(), 0u);
}

TEST(ReadBook, KeepsAPingThatCameBeforeAFailedReadWasPutToRest) {
  ReadBook book(1, 10);
  book.add(ping("a", 1));
  const ReadId read = *book.begin(0);
  book.add(ping("a", 2));

  book.retry_later(read, 1000);
  book.wake_rested(999);
  EXPECT_EQ(book.queued(0), 0u);
  book.wake_rested(1000);

  const ReadId again = *book.begin(0);
  EXPECT_EQ(book.generation(again), 2u);
  EXPECT_EQ(book.failures(again), 1u);
}

TEST(ReadBook, SaysAnewOfARepeatedReadThatItsAnswerIsTheFirst) {
  ReadBook book(1, 10);
  book.add(ping("a"));
  const ReadId read = *book.begin(0);
  EXPECT_TRUE(book.take_first(read));
  EXPECT_FALSE(book.take_first(read));

  book.retry_later(read, 0);
  book.wake_rested(0);

  EXPECT_TRUE(book.take_first(*book.begin(0)));
}

TEST(ReadBook, RefusesNewSubjectsWhenFullButTakesThoseThatMustCome) {
  ReadBook book(1, 1);
  book.add(ping("a"));

  EXPECT_EQ(book.add(ping("b")), Taken::full);
  EXPECT_EQ(book.add(ping("a")), Taken::merged);
  PingIn must = ping("c");
  must.must = true;
  EXPECT_EQ(book.add(must), Taken::queued);
}

TEST(ReadBook, PutsBackAReadThatDidNotBegin) {
  ReadBook book(1, 10);
  book.add(ping("a"));
  book.add(ping("b"));

  book.put_back(*book.begin(0));

  EXPECT_EQ(book.subject(*book.begin(0)), "a");
}

TEST(ReadBook, KnowsWhichCallCarriesARead) {
  ReadBook book(1, 10);
  book.add(ping("a"));
  const ReadId read = *book.begin(0);
  book.set_call(read, 7);

  EXPECT_TRUE(book.is_reading(read, 7));
  book.finish(read);
  EXPECT_FALSE(book.is_reading(read, 7));
  book.add(ping("b"));
  EXPECT_EQ(*book.begin(0), read) << "the id is used again";
  EXPECT_FALSE(book.is_reading(read, 7));
}

}  // namespace
}  // namespace cape::tracker
