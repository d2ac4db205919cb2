#include "cli/append_lines.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/unique_fd.hpp"

namespace cape::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// A journal that keeps its contract and no more: sequences rise, all of a group or none.
struct FakeJournal {
  std::vector<std::vector<storage::NewEvent>> groups;
  std::map<std::string, Sequence> last;
  std::vector<std::pair<std::string, Sequence>> pings;

  Result<std::vector<Sequence>> append(std::span<const storage::NewEvent> events) {
    auto next = last;
    std::vector<Sequence> sequences;
    for (const auto& event : events) {
      Sequence& at = next[event.subject];
      const Sequence sequence = event.sequence.value_or(at + 1);
      if (sequence <= at) return fail(ErrorCode::invalid, "the sequence does not rise");
      sequences.push_back(at = sequence);
    }
    last = next;
    groups.emplace_back(events.begin(), events.end());
    return sequences;
  }
  AppendPorts ports() {
    return {.append = [this](std::span<const storage::NewEvent> events) { return append(events); },
            .ping = [this](std::string_view subject,
                           Sequence sequence) { pings.emplace_back(subject, sequence); }};
  }
};

struct Pipe {
  UniqueFd reader, writer;
  Pipe() {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

AppendReport append_text(FakeJournal& journal, std::string_view text, AppendLimits limits = {}) {
  Pipe pipe;
  pipe.write(text);
  pipe.writer.reset();
  LineReader lines(pipe.reader.get(), 1000);
  return append_lines(lines, limits, journal.ports());
}

TEST(AppendLines, AppendsEveryLineInOrder) {
  FakeJournal journal;

  const auto report =
      append_text(journal, "{\"subject\":\"a\"}\n\n{\"subject\":\"b\"}\r\n{\"subject\":\"a\"}");

  EXPECT_EQ(report.appended, 3u);
  EXPECT_FALSE(report.error);
  EXPECT_THAT(journal.last, ElementsAre(Pair("a", 2), Pair("b", 1)));
}

TEST(AppendLines, PingsEachSubjectOfAGroupOnceWithItsHighestSequence) {
  FakeJournal journal;

  append_text(journal, "{\"subject\":\"a\"}\n{\"subject\":\"b\"}\n{\"subject\":\"a\"}\n");

  EXPECT_THAT(journal.pings, ElementsAre(Pair("a", 2), Pair("b", 1)));
}

TEST(AppendLines, CutsGroupsAtTheirLimits) {
  FakeJournal journal;
  const std::string line = "{\"subject\":\"a\",\"payload\":\"12345\"}\n";

  append_text(journal, line + line + line + line + line, {.group_events_max = 2});
  EXPECT_THAT(journal.groups, ElementsAre(testing::SizeIs(2), testing::SizeIs(2), testing::SizeIs(1)));

  journal.groups.clear();
  append_text(journal, line + line + line, {.group_bytes_max = 6});
  EXPECT_THAT(journal.groups, ElementsAre(testing::SizeIs(2), testing::SizeIs(1)));
}

TEST(AppendLines, StopsAtTheFirstMalformedLineAndKeepsWhatStoodBefore) {
  FakeJournal journal;

  const auto report =
      append_text(journal, "{\"subject\":\"a\"}\n{\"subject\":\"b\"}\n{oops}\n{\"subject\":\"c\"}\n");

  EXPECT_EQ(report.appended, 2u);
  EXPECT_EQ(report.bad_line, 3u);
  ASSERT_TRUE(report.error);
  EXPECT_THAT(report.error->message, HasSubstr("not JSON"));
  EXPECT_THAT(journal.last, ElementsAre(Pair("a", 1), Pair("b", 1)));
}

TEST(AppendLines, NamesTheLineThatTheJournalRefusedInTheMiddleOfAGroup) {
  FakeJournal journal;

  const auto report = append_text(journal,
                                  "{\"subject\":\"a\",\"sequence\":5}\n"
                                  "\n"
                                  "{\"subject\":\"a\",\"sequence\":5}\n"
                                  "{\"subject\":\"z\"}\n");

  EXPECT_EQ(report.appended, 1u);
  EXPECT_EQ(report.bad_line, 3u);
  EXPECT_THAT(journal.last, ElementsAre(Pair("a", 5)));
  EXPECT_THAT(journal.pings, ElementsAre(Pair("a", 5)));
}

TEST(AppendLines, NamesTheEarlierOfTwoBadLines) {
  FakeJournal journal;

  const auto report = append_text(journal,
                                  "{\"subject\":\"a\",\"sequence\":5}\n"
                                  "{\"subject\":\"a\",\"sequence\":4}\n"
                                  "not json\n");

  EXPECT_EQ(report.appended, 1u);
  EXPECT_EQ(report.bad_line, 2u);
  EXPECT_THAT(report.error->message, HasSubstr("does not rise"));
}

TEST(AppendLines, RefusesALineThatIsTooLong) {
  FakeJournal journal;

  const auto report = append_text(journal, "{\"subject\":\"a\"}\n" + std::string(1001, ' ') + "\n");

  EXPECT_EQ(report.appended, 1u);
  EXPECT_EQ(report.bad_line, 2u);
  EXPECT_EQ(report.error->code, ErrorCode::limit);
}

TEST(AppendLines, DoesNotKeepAnEventWaitingForASlowWriter) {
  FakeJournal journal;
  Pipe pipe;
  pipe.write("{\"subject\":\"a\"}\n");
  LineReader lines(pipe.reader.get(), 1000);
  AppendPorts ports = journal.ports();
  std::size_t groups_before_the_end = 0;
  // The writer closes only after it has seen its event stored: a reader that waits for more never returns.
  ports.append = [&](std::span<const storage::NewEvent> events) {
    ++groups_before_the_end;
    pipe.writer.reset();
    return journal.append(events);
  };

  const auto report = append_lines(lines, {}, ports);

  EXPECT_EQ(report.appended, 1u);
  EXPECT_EQ(groups_before_the_end, 1u);
}

TEST(LineReader, JoinsLinesThatArriveInPieces) {
  Pipe pipe;
  LineReader lines(pipe.reader.get(), 200'000);
  const std::string longest(60'000, 'x');  // of what a pipe takes at once, more than half of one read
  pipe.write("one\ntw");
  ASSERT_EQ(**lines.next(), "one");
  pipe.write("o\n" + longest);
  ASSERT_EQ(**lines.next(), "two");
  pipe.writer.reset();

  EXPECT_EQ(**lines.next(), longest);
  EXPECT_EQ(lines.number(), 3u);
  EXPECT_EQ(*lines.next(), std::nullopt);
}

TEST(LineReader, SaysWhyAnInputCannotBeRead) {
  LineReader lines(-1, 10);

  const auto line = lines.next();

  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::io);
}

}  // namespace
}  // namespace cape::cli
