#include "cli/jsonl.hpp"

#include <gmock/gmock.h>

namespace cape::cli {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t limit = 100;

std::string mistake_of(std::string_view line) {
  const auto event = parse_event_line(line, limit);
  return event ? "no mistake" : event.error().message;
}

TEST(EventLine, GivesEveryField) {
  const auto event =
      parse_event_line(R"({"subject":"a","sequence":7,"time_ns":-5,"type":"t","payload":"x\ty"})", limit);

  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->subject, "a");
  EXPECT_EQ(event->sequence, 7);
  EXPECT_EQ(event->time_ns, -5);
  EXPECT_EQ(event->type, "t");
  EXPECT_EQ(event->payload, "x\ty");
}

TEST(EventLine, NeedsASubjectAlone) {
  const auto event = parse_event_line(R"({"subject":"a","sequence":null})", limit);

  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->sequence, std::nullopt);
  EXPECT_EQ(event->time_ns, std::nullopt);
  EXPECT_EQ(event->type, "");
  EXPECT_EQ(event->payload, "");
}

TEST(EventLine, DecodesBytesFromBase64) {
  const auto event = parse_event_line(R"({"subject":"a","payload_base64":"AP/+"})", limit);

  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->payload, std::string("\0\xff\xfe", 3));
}

TEST(EventLine, RefusesMalformedBase64) {
  for (const char* text : {"AP/", "AP/+=", "A P/", "AP/+\\n", "AP-_", "===="})
    EXPECT_THAT(mistake_of(std::string(R"({"subject":"a","payload_base64":")") + text + "\"}"),
                HasSubstr("base64"))
        << text;
}

TEST(EventLine, RefusesWhatIsNotOneFlatObject) {
  EXPECT_THAT(mistake_of("[1]"), HasSubstr("the line is a list"));
  EXPECT_THAT(mistake_of("7"), HasSubstr("an event is an object"));
  EXPECT_THAT(mistake_of("null"), HasSubstr("an event is an object"));
  EXPECT_THAT(mistake_of("\"text\""), HasSubstr("an event is an object"));
  EXPECT_THAT(mistake_of(R"({"subject":{"a":1}})"), HasSubstr("\"subject\" is an object; it takes text"));
  EXPECT_THAT(mistake_of(R"({"subject":"a"} {"subject":"b"})"), HasSubstr("not JSON"));
  EXPECT_THAT(mistake_of(R"({"subject":"a")"), HasSubstr("not JSON at byte"));
  EXPECT_THAT(mistake_of(""), HasSubstr("not JSON"));
  EXPECT_THAT(mistake_of(std::string(100'000, '[')), HasSubstr("a list"));
}

TEST(EventLine, RefusesKeysItDoesNotKnow) {
  EXPECT_THAT(mistake_of(R"({"subject":"a","paylod":"x"})"),
              HasSubstr("unknown key \"paylod\"; known are subject"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","subject":"b"})"), HasSubstr("stands twice"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","payload":"x","payload_base64":"AAAA"})"),
              HasSubstr("give one of them"));
}

TEST(EventLine, RefusesValuesOfTheWrongKind) {
  EXPECT_THAT(mistake_of(R"({"subject":7})"), HasSubstr("\"subject\" is a number; it takes text"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","sequence":"7"})"),
              HasSubstr("\"sequence\" is text; it takes a whole number"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","sequence":1.5})"), HasSubstr("a fraction"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","sequence":0})"), HasSubstr("above 0"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","sequence":-1})"), HasSubstr("above 0"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","sequence":9223372036854775808})"), HasSubstr("64-bit"));
  EXPECT_THAT(mistake_of(R"({"subject":"a","type":true})"), HasSubstr("true or false"));
}

TEST(EventLine, RefusesSubjectsThatNoSourceMayHave) {
  EXPECT_THAT(mistake_of("{}"), HasSubstr("no \"subject\""));
  EXPECT_THAT(mistake_of(R"({"subject":""})"), HasSubstr("empty"));
  EXPECT_THAT(mistake_of("{\"subject\":\"" + std::string(256, 's') + "\"}"), HasSubstr("255 bytes"));
  EXPECT_THAT(mistake_of(R"({"subject":"a\u0000b"})"), HasSubstr("NUL"));
  EXPECT_THAT(mistake_of("{\"subject\":\"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(mistake_of("{\"subject\":\"a\",\"type\":\"" + std::string(256, 't') + "\"}"),
              HasSubstr("256 bytes"));
}

TEST(EventLine, TakesPayloadUpToTheLimitAndNoMore) {
  const std::string head = R"({"subject":"a","payload":")";
  EXPECT_TRUE(parse_event_line(head + std::string(limit, 'p') + "\"}", limit));

  const auto over = parse_event_line(head + std::string(limit + 1, 'p') + "\"}", limit);

  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::limit);
  EXPECT_THAT(over.error().message, HasSubstr("101 bytes; the configured limit is 100"));
}

TEST(EventLine, NeverShowsControlCharactersOfABadKey) {
  EXPECT_EQ(mistake_of("{\"\\u001b[2J\":1}").find('\x1b'), std::string::npos);
}

TEST(EventLine, BoundLeavesRoomForAFullyEscapedPayload) {
  std::string line = R"({"subject":"a","payload":")";
  for (std::uint64_t i = 0; i < limit; ++i) line += "\\u0041";
  line += "\"}";

  EXPECT_TRUE(parse_event_line(line, limit));
  EXPECT_LE(line.size(), event_line_bytes_max(limit));
}

}  // namespace
}  // namespace cape::cli
