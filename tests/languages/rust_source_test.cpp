// An event source in Rust, built by rustc over plugin_api/rust/cape.rs without any crate, in the real
// sandbox.
#include <gmock/gmock.h>

#include "tests/child/driver.hpp"

namespace cape::child {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class RustSource : public testing::Test {
 protected:
  void start(const std::string& config = "{}") {
    ChildSpec spec = spec_of("rust_source_guest", ChildKind::source);
    spec.config_json = config;
    Result<std::unique_ptr<SourceChild>> started = start_source_child(spec);
    ASSERT_TRUE(started) << started.error().message;
    child_ = std::move(*started);
  }
  QueryAnswer query(const std::string& subject, Sequence from = 1, std::uint32_t events_max = 100) {
    EXPECT_TRUE(child_->query({{.tag = 1, .subject = subject, .start = from}}, events_max, 256 << 10));
    return first_of<QueryAnswer>();
  }
  ScanAnswer scan(const std::string& token, std::uint32_t subjects_max) {
    EXPECT_TRUE(child_->scan(token, subjects_max));
    return first_of<ScanAnswer>();
  }

  std::unique_ptr<SourceChild> child_;

 private:
  template <class Answer>
  Answer first_of() {
    const auto answers = pick<Answer>(poll_until<SourceReport>(*child_, at_least<CallDone, SourceReport>(1)));
    return answers.empty() ? Answer{} : answers.front();
  }
};

TEST_F(RustSource, GivesTheEventsThatItIsAskedFor) {
  start();

  const QueryAnswer answer = query("good", 8, 2);

  ASSERT_EQ(answer.status, OutcomeKind::ok) << answer.reason;
  EXPECT_EQ(answer.latest, 10);
  EXPECT_TRUE(answer.more);
  EXPECT_EQ(answer.block->proven_to, 9);
  ASSERT_THAT(answer.block->entries, SizeIs(2));
  const EventBlock::Entry& last = answer.block->entries[1];
  EXPECT_EQ(last.sequence, 9);
  EXPECT_EQ(last.time_ns, 7);
  EXPECT_EQ(answer.block->type_of(last), "kind");
  EXPECT_THAT(answer.block->payload_of(last), HasSubstr(" 9"));
}

TEST_F(RustSource, SubjectThatItDoesNotKnowIsNotFound) {
  start();

  EXPECT_EQ(query("nobody").status, OutcomeKind::not_found);
}

TEST_F(RustSource, PanicIsARetryWithItsWordsAndTheProcessGoesOn) {
  start();

  const QueryAnswer panicked = query("panic");

  EXPECT_EQ(panicked.status, OutcomeKind::retry);
  EXPECT_THAT(panicked.reason, HasSubstr("panic: at panic"));
  EXPECT_EQ(query("good").status, OutcomeKind::ok) << "in the same process";
}

TEST_F(RustSource, OutcomesReachTheHostWithTheirReasons) {
  start();

  const QueryAnswer failed = query("fail"), unread = query("io");

  EXPECT_EQ(failed.status, OutcomeKind::failed);
  EXPECT_THAT(failed.reason, HasSubstr("on purpose"));
  EXPECT_EQ(unread.status, OutcomeKind::retry);
  EXPECT_THAT(unread.reason, HasSubstr("os error"));
}

TEST_F(RustSource, ScanIsCutWhereTheHostTakesNoMore) {
  start();

  const ScanAnswer first = scan("", 2), rest = scan("b", 2);

  ASSERT_THAT(first.subjects, SizeIs(2));
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.token, "b");
  ASSERT_THAT(rest.subjects, SizeIs(1));
  EXPECT_EQ(rest.subjects[0].subject, "good");
  EXPECT_EQ(rest.subjects[0].latest, 10);
  EXPECT_FALSE(rest.more);
}

TEST_F(RustSource, RefusedConfigEndsItWithTheReason) {
  start(R"({"refuse":true})");

  const auto ended =
      pick<ChildEnded>(poll_until<SourceReport>(*child_, at_least<ChildEnded, SourceReport>(1)));

  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(ended[0].cause, OutcomeKind::bad_config);
  EXPECT_THAT(ended[0].end.reason, HasSubstr("on purpose"));
}

}  // namespace
}  // namespace cape::child
