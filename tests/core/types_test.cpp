#include "core/types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cape {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

TEST(Utf8, TakesTheEdgesOfEachLength) {
  for (const char* good :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "Zoë 事件 🦀"})
    EXPECT_TRUE(is_utf8(good)) << good;
}

TEST(Utf8, RefusesOverlongSurrogateCutStrayAndTooHigh) {
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x20", "\xE0\x9F\xBF",
                          "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "good then \xFF"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Subject, TakesOneTo255BytesOfUtf8) {
  EXPECT_EQ(subject_mistake("a"), "");
  EXPECT_EQ(subject_mistake(std::string(255, 'x')), "");
  EXPECT_EQ(subject_mistake("café/1 \n"), "");
}

TEST(Subject, MistakeSaysWhatIsWrong) {
  EXPECT_THAT(std::string(subject_mistake("")), HasSubstr("empty"));
  EXPECT_THAT(std::string(subject_mistake(std::string(256, 'x'))), HasSubstr("255"));
  EXPECT_THAT(std::string(subject_mistake("a\0b"s)), HasSubstr("NUL"));
  EXPECT_THAT(std::string(subject_mistake("\xFF")), HasSubstr("UTF-8"));
}

TEST(Name, IsASmallLetterThenSmallLettersDigitsAndUnderlines) {
  for (const char* good : {"a", "audit_log", "x9", "a_"}) EXPECT_TRUE(is_name(good)) << good;
  for (const char* bad : {"", "A", "9a", "_a", "a-b", "a.b", "a/b", "a b", "ä", ".."})
    EXPECT_FALSE(is_name(bad)) << bad;
  EXPECT_TRUE(is_name(std::string(63, 'a')));
  EXPECT_FALSE(is_name(std::string(64, 'a')));
  EXPECT_FALSE(is_name("a\0"s));
}

TEST(Printable, KeepsTextAndEscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("plain, Zoë 事件", 100), "plain, Zoë 事件");
  EXPECT_EQ(printable("\x1B[2J\n\r\t\x7F", 100), "\\x1B[2J\\x0A\\x0D\\x09\\x7F");
  EXPECT_EQ(printable("a\0b"s, 100), "a\\x00b");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m",
                      100),
            "\\xC2\\x9B31m")
      << "C1 control sequence introducer";
  EXPECT_EQ(printable("\xFFz", 100), "\\xFFz");
}

TEST(Printable, EscapesWhatWouldTurnOrBreakTheLine) {
  EXPECT_EQ(printable("a\u202Ebc", 100), "a\\xE2\\x80\\xAEbc");
  EXPECT_EQ(printable("\u2028\u2066\uFEFF\u061C", 100),
            "\\xE2\\x80\\xA8\\xE2\\x81\\xA6\\xEF\\xBB\\xBF\\xD8\\x9C");
  EXPECT_EQ(printable("\u2013 \u200D", 100), "\u2013 \u200D");
}

TEST(Printable, LeavesWhatIsPrintableAlready) {
  for (const char* text : {"back\\slash", "\x1B[2J", "\xC2\x9B", "\xFF", "Zoë\n"}) {
    const std::string once = printable(text, 100);

    EXPECT_EQ(printable(once, 100), once);
  }
  EXPECT_EQ(printable("back\\slash", 100), "back\\slash");
}

TEST(Printable, CutsAtTheLimitAndNeverInsideACharacter) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abc...");
  for (std::size_t limit = 0; limit < 24; ++limit) {
    const std::string cut = printable("é事🦀é事🦀é事🦀", limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_TRUE(is_utf8(cut)) << "limit " << limit;
  }
}

TEST(Shortened, CutsAtTheLimitAndEscapesNothing) {
  EXPECT_EQ(shortened("a\\b", 3), "a\\b");
  EXPECT_EQ(shortened("a\\bcdef", 6), "a\\b...");
  for (std::size_t limit = 0; limit < 24; ++limit) {
    const std::string cut = shortened("é事🦀é事🦀é事🦀", limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_TRUE(is_utf8(cut)) << "limit " << limit;
  }
}

TEST(Outcome, EveryKindHasANameAndNoOtherNumberHas) {
  int named = 0;
  for (int value = -200; value <= 200; ++value)
    if (name_of(static_cast<OutcomeKind>(value)) != std::string_view("UNKNOWN")) ++named;

  EXPECT_EQ(named, 20);
  EXPECT_STREQ(name_of(OutcomeKind::external_kill), "EXTERNAL_KILL");
}

TEST(Outcome, PluginMayReturnOnlyWhatALambdaMaySay) {
  EXPECT_EQ(outcome_of_plugin_status(0), OutcomeKind::ok);
  EXPECT_EQ(outcome_of_plugin_status(1), OutcomeKind::skipped);
  EXPECT_EQ(outcome_of_plugin_status(2), OutcomeKind::retry);
  EXPECT_EQ(outcome_of_plugin_status(-1), OutcomeKind::failed);
  EXPECT_EQ(outcome_of_plugin_status(-7), OutcomeKind::limit);
  // A plugin cannot claim how its process ended, nor invent a success.
  for (const std::int32_t status : {-101, -106, -107, -108, 3, 7, 1000, INT32_MIN, INT32_MAX})
    EXPECT_EQ(outcome_of_plugin_status(status), OutcomeKind::failed) << status;
}

TEST(Outcome, FailureClassFollowsThePolicyTable) {
  using enum OutcomeKind;
  for (const auto kind : {ok, skipped}) EXPECT_EQ(failure_class(kind), FailureClass::done) << name_of(kind);
  for (const auto kind : {retry, internal, no_memory, signaled, hung, oom, exited, protocol, violation})
    EXPECT_EQ(failure_class(kind), FailureClass::attempt) << name_of(kind);
  for (const auto kind : {failed, bad_input, limit, not_found, bad_config, unsupported})
    EXPECT_EQ(failure_class(kind), FailureClass::park) << name_of(kind);
  for (const auto kind : {setup, cancelled, external_kill})
    EXPECT_EQ(failure_class(kind), FailureClass::no_attempt) << name_of(kind);
  EXPECT_EQ(failure_class(static_cast<OutcomeKind>(42)), FailureClass::park) << "any other code parks";
}

}  // namespace
}  // namespace cape
