// A source's child from end to end: the real runner in the real sandbox, with a source that is honest about
// one subject and lies about the others.
#include <gmock/gmock.h>

#include "tests/child/driver.hpp"

namespace cape::child {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Reports = std::vector<SourceReport>;

class SourceChildTest : public testing::TestWithParam<const char*> {
 protected:
  void start(const std::string& plugin) {
    Result<std::unique_ptr<SourceChild>> started = start_source_child(spec_of(plugin, ChildKind::source));
    ASSERT_TRUE(started) << started.error().message;
    child_ = std::move(*started);
  }
  std::vector<QueryAnswer> query(std::vector<SourceQuery> queries, std::uint32_t max_events = 100) {
    const auto call = child_->query(queries, max_events, 256 << 10);
    EXPECT_TRUE(call);
    return pick<QueryAnswer>(poll_until<SourceReport>(*child_, at_least<CallDone, SourceReport>(1)));
  }
  Outcome end_of_query(const std::string& subject, Sequence start, std::uint32_t max_events = 100) {
    EXPECT_TRUE(child_->query({{.tag = 1, .subject = subject, .start = start}}, max_events, 256 << 10));
    return wait_end();
  }
  Outcome wait_end() {
    const auto ended =
        pick<ChildEnded>(poll_until<SourceReport>(*child_, at_least<ChildEnded, SourceReport>(1)));
    return ended.empty() ? Outcome{} : ended.front().end;
  }
  ScanAnswer scan(const std::string& token, std::uint32_t max_subjects) {
    EXPECT_TRUE(child_->scan(token, max_subjects));
    reports_ = poll_until<SourceReport>(*child_, at_least<CallDone, SourceReport>(1));
    const auto answers = pick<ScanAnswer>(reports_);
    return answers.empty() ? ScanAnswer{} : answers.front();
  }

  std::unique_ptr<SourceChild> child_;
  Reports reports_;
};

// Both ways a source can be asked.
class EachSource : public SourceChildTest {};
INSTANTIATE_TEST_SUITE_P(All, EachSource, testing::Values("answers", "answers_batch"));

std::vector<Sequence> sequences_of(const QueryAnswer& answer) {
  std::vector<Sequence> found;
  for (const EventBlock::Entry& entry : answer.block->entries) found.push_back(entry.sequence);
  return found;
}

TEST_P(EachSource, AnswersManySubjectsInOneCallInTheOrderAsked) {
  start(GetParam());

  const auto answers = query({{.tag = 11, .subject = "good", .start = 8},
                              {.tag = 12, .subject = "unknown", .start = 1},
                              {.tag = 13, .subject = "empty", .start = 3},
                              {.tag = 14, .subject = "sick", .start = 1},
                              {.tag = 15, .subject = "number", .start = 1}});

  ASSERT_THAT(answers, SizeIs(5));
  EXPECT_EQ(answers[0].tag, 11u);
  EXPECT_THAT(sequences_of(answers[0]), ElementsAre(8, 9, 10));
  EXPECT_EQ(answers[0].block->proven_from, 8);
  EXPECT_EQ(answers[0].block->proven_to, 10);
  EXPECT_EQ(answers[0].block->type_of(answers[0].block->entries[2]), "type");
  EXPECT_EQ(answers[0].block->payload_of(answers[0].block->entries[2]), std::string(8, '\0'));
  EXPECT_EQ(answers[0].latest, 10);
  EXPECT_EQ(answers[1].status, OutcomeKind::not_found);
  EXPECT_THAT(answers[2].block->entries, SizeIs(0));
  EXPECT_EQ(answers[2].block->proven_to, 10);
  EXPECT_EQ(answers[3].status, OutcomeKind::retry);
  EXPECT_EQ(answers[3].reason, "the disk is gone");
  EXPECT_EQ(answers[4].status, OutcomeKind::failed);
  EXPECT_THAT(answers[4].reason, HasSubstr("returned 77"));
  EXPECT_EQ(child_->calls_out(), 0u);
}

TEST_F(SourceChildTest, QueryThatABatchLeavesUntouchedHasFailedAlone) {
  start("answers_batch");

  const auto answers = query({{.tag = 1, .subject = "good", .start = 10},
                              {.tag = 2, .subject = "forgotten", .start = 1},
                              {.tag = 3, .subject = "good", .start = 10}});

  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_EQ(answers[0].status, OutcomeKind::ok);
  EXPECT_EQ(answers[1].status, OutcomeKind::failed);
  EXPECT_THAT(answers[1].reason, HasSubstr("left it untouched"));
  EXPECT_EQ(answers[2].status, OutcomeKind::ok);
}

TEST_P(EachSource, IsToldWhenItsQueryWillCountAsHung) {
  ChildSpec spec = spec_of(GetParam(), ChildKind::source);
  spec.timeout_ns = 3600 * ns_per_s;
  child_ = *start_source_child(spec);

  const auto answers =
      query({{.tag = 1, .subject = "good", .start = 10}, {.tag = 2, .subject = "deadline", .start = 10}});

  ASSERT_THAT(answers, SizeIs(2));
  const std::int64_t left_ns = answers[1].block->entries.at(0).time_ns;
  EXPECT_LE(left_ns, spec.timeout_ns);
  EXPECT_GT(left_ns, spec.timeout_ns - 60 * ns_per_s);
}

TEST_P(EachSource, AnswersAHundredSubjects) {
  start(GetParam());
  std::vector<SourceQuery> queries;
  for (std::uint64_t i = 0; i < 100; ++i) queries.push_back({.tag = i, .subject = "good", .start = 1});

  const auto answers = query(queries);

  ASSERT_THAT(answers, SizeIs(100));
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(answers[i].tag, i);
}

TEST_P(EachSource, PagesGiveTheSameAsOneAnswer) {
  start(GetParam());
  std::vector<Sequence> paged;
  Sequence next = 1;
  for (bool more = true; more;) {
    const auto answers = query({{.tag = 1, .subject = "good", .start = next}}, 3);
    ASSERT_THAT(answers, SizeIs(1));
    for (const Sequence sequence : sequences_of(answers[0])) paged.push_back(sequence);
    next = answers[0].block->proven_to + 1;
    more = answers[0].more;
  }
  EXPECT_THAT(paged, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_P(EachSource, AnswerTooLargeForTheRingIsCutAndStaysTrue) {
  start(GetParam());

  const auto answers = query({{.tag = 1, .subject = "large", .start = 1}});

  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_GE(answers[0].block->entries.size(), 1u);
  EXPECT_LT(answers[0].block->entries.size(), 10u);
  EXPECT_EQ(answers[0].block->proven_to, answers[0].block->entries.back().sequence);
  EXPECT_TRUE(answers[0].more);
}

TEST_P(EachSource, SourceThatIgnoresTheLimitDoesNotProveWhatWasRefused) {
  start(GetParam());

  const auto answers = query({{.tag = 1, .subject = "greedy", .start = 1}}, 4);

  EXPECT_THAT(sequences_of(answers.at(0)), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(answers.at(0).block->proven_to, 4);
  EXPECT_TRUE(answers.at(0).more);
}

TEST_P(EachSource, EventOverTheLimitFailsItsSubjectAloneWithItsName) {
  start(GetParam());

  const auto before = query({{.tag = 1, .subject = "huge", .start = 1}});
  const auto at =
      query({{.tag = 1, .subject = "huge", .start = 3}, {.tag = 2, .subject = "good", .start = 10}});

  EXPECT_THAT(sequences_of(before.at(0)), ElementsAre(1, 2));
  EXPECT_EQ(at.at(0).status, OutcomeKind::protocol);
  EXPECT_THAT(at.at(0).reason, HasSubstr("event 3 has 2097152 bytes of payload, the limit is 1048576"));
  EXPECT_EQ(at.at(0).unreadable, 3);
  EXPECT_EQ(at.at(1).status, OutcomeKind::ok);
}

struct Lie {
  const char* subject;
  Sequence start;
  const char* reason;
};
class LyingSource : public SourceChildTest {};

TEST_F(LyingSource, EndsWithProtocolAndTheRuleItBroke) {
  const Lie lies[] = {{"silent", 1, "nothing is proven although latest is 10"},
                      {"ahead", 1, "next_start 12 is outside"},
                      {"behind", 5, "next_start 4 is outside"},
                      {"endless", 11, "nothing is proven"},
                      {"negative", 1, "latest -1 is negative"},
                      {"falling", 1, "sequence 4 does not rise"},
                      {"twice", 1, "sequence 5 does not rise"},
                      {"below", 3, "sequence 2 does not rise"},
                      {"above", 1, "event 11 is not below next_start 11"},
                      {"highest", 1, "is not below next_start"}};
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.subject);
    start("answers");

    const Outcome end = end_of_query(lie.subject, lie.start);

    EXPECT_EQ(end.kind, OutcomeKind::protocol);
    EXPECT_THAT(end.reason, HasSubstr(lie.reason));
    EXPECT_THAT(end.reason, HasSubstr(std::string("query of '") + lie.subject));
    EXPECT_THAT(end.reason, HasSubstr("source 'answers"));
    EXPECT_THAT(end.reason, HasSubstr("breaks the contract of an event source"));
    EXPECT_THAT(end.reason, HasSubstr("cape plugin check"));
    EXPECT_EQ(child_->calls_out(), 0u);
  }
}

TEST_F(LyingSource, ScanEndsWithProtocolAndTheRuleItBroke) {
  const Lie lies[] = {{"lie:falling", 0, "'m' does not rise above 'n'"},
                      {"lie:below", 0, "'a' does not rise above 'lie:below'"},
                      {"lie:negative", 0, "latest -1"},
                      {"lie:more", 0, "more, but no subject"}};
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.subject);
    start("answers");
    ASSERT_TRUE(child_->scan(lie.subject, 10));

    const Outcome end = wait_end();

    EXPECT_EQ(end.kind, OutcomeKind::protocol);
    EXPECT_THAT(end.reason, HasSubstr(lie.reason));
    EXPECT_THAT(end.reason, HasSubstr("breaks the contract of an event source"));
  }
}

TEST_F(SourceChildTest, ScansInPagesToTheEnd) {
  start("answers");
  std::vector<std::string> found;
  std::string token;
  for (bool more = true; more;) {
    const ScanAnswer page = scan(token, 4);
    for (const ScannedSubject& s : page.subjects) found.push_back(s.subject);
    ASSERT_TRUE(!page.more || page.token > token);
    token = page.token;
    more = page.more;
  }
  EXPECT_THAT(found, SizeIs(10));
  EXPECT_EQ(found.back(), "subject-9");
}

TEST_F(SourceChildTest, LeavesIllFormedSubjectsOutAndSaysSo) {
  start("answers");

  const ScanAnswer page = scan("lie:ill", 10);

  ASSERT_THAT(page.subjects, SizeIs(2));
  EXPECT_EQ(page.subjects[1].subject, "o");
  EXPECT_EQ(page.token, "o");
  const auto logs = pick<ChildLog>(reports_);
  ASSERT_THAT(logs, SizeIs(1));
  EXPECT_THAT(logs[0].text, HasSubstr("1 subjects are left out"));
  EXPECT_THAT(logs[0].text, HasSubstr("n\\xFF"));
}

TEST_F(SourceChildTest, PassesPingsOn) {
  start("answers");

  const auto pings =
      pick<SourcePing>(poll_until<SourceReport>(*child_, at_least<SourcePing, SourceReport>(1)));

  EXPECT_EQ(pings.at(0).subject, "pinged");
  EXPECT_EQ(pings.at(0).hint, 7);
}

TEST_F(SourceChildTest, NamesTheQueryItDiedIn) {
  start("answers");

  const Outcome end = end_of_query("abort", 4);

  EXPECT_EQ(end.kind, OutcomeKind::signaled);
  EXPECT_THAT(
      end.reason,
      HasSubstr("source 'answers' (answers.so, aaaaaaaa): SIGNALED in a query of 'abort' from 4: SIGABRT"));
}

TEST_F(SourceChildTest, TellsSinceWhenItWaits) {
  start("answers");
  poll_until<SourceReport>(*child_, at_least<ChildReady, SourceReport>(1));
  EXPECT_EQ(child_->waiting().since_ns, 0);
  const std::int64_t before_ns = boot_ns();
  ASSERT_TRUE(child_->query({{.tag = 1, .subject = "hang", .start = 1}}, 10, 1000));

  EXPECT_GE(child_->waiting().since_ns, before_ns);
  child_->kill({OutcomeKind::hung, "the query took 60 s"});
  const Outcome end = wait_end();
  EXPECT_EQ(end.kind, OutcomeKind::hung);
  EXPECT_THAT(end.reason, HasSubstr("the query took 60 s"));
}

TEST_F(SourceChildTest, StopsCleanly) {
  start("answers");
  ASSERT_TRUE(child_->query({{.tag = 1, .subject = "good", .start = 1}}, 10, 1000));
  child_->stop();

  const Reports reports = poll_until<SourceReport>(*child_, at_least<ChildEnded, SourceReport>(1));

  EXPECT_THAT(pick<QueryAnswer>(reports), SizeIs(1));
  EXPECT_EQ(pick<ChildEnded>(reports).at(0).end.kind, OutcomeKind::ok);
}

}  // namespace
}  // namespace cape::child
