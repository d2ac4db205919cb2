#include "host/child/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace cape::child {
namespace {

template <class... Args>
std::unexpected<Error> breach(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::protocol, fmt::format(format, std::forward<Args>(args)...));
}

// What a plugin gets wrong by itself, without anybody touching the memory that it shares with us.
template <class... Args>
std::unexpected<Error> broken_rule(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid, fmt::format(format, std::forward<Args>(args)...));
}

std::string shown(std::string_view subject) {
  return printable(subject, subject_bytes_max);
}

bool is_source_status(OutcomeKind kind) {
  return kind == OutcomeKind::not_found || kind == OutcomeKind::protocol ||
         (kind != OutcomeKind::skipped && is_lambda_status(kind));
}

Sequence highest_next_start(Sequence start, Sequence latest) {
  const Sequence behind = latest == std::numeric_limits<Sequence>::max() ? latest : latest + 1;
  return std::max(start, behind);
}

Result<void> check_range(const QueryAnswerFrame& f, const SourceQuery& query) {
  if (f.latest < 0)
    return broken_rule("query of '{}': latest {} is negative", shown(query.subject), f.latest);
  if (f.next_start < query.start || f.next_start > highest_next_start(query.start, f.latest))
    return broken_rule("query of '{}' from {}: next_start {} is outside [start, max(start, latest {} + 1)]",
                       shown(query.subject), query.start, f.next_start, f.latest);
  const bool must_progress = f.more != 0 || f.latest >= query.start;
  if (must_progress && f.next_start == query.start && f.next_start != std::numeric_limits<Sequence>::max())
    return broken_rule("query of '{}' from {}: nothing is proven although latest is {}", shown(query.subject),
                       query.start, f.latest);
  return {};
}

// One row: its place right behind the one before, its sequence above it. `end` moves behind it.
Result<void> check_row(const EventRow& row, const SourceQuery& query, Sequence after, std::uint64_t& end) {
  if (row.sequence <= after)
    return broken_rule("query of '{}' from {}: sequence {} does not rise", shown(query.subject), query.start,
                       row.sequence);
  if (row.type_offset != end || row.payload_offset != end + row.type_bytes || row.type_bytes > type_bytes_max)
    return breach("query of '{}': the place of event {} is malformed", shown(query.subject), row.sequence);
  end += std::uint64_t{row.type_bytes} + row.payload_bytes;
  return {};
}

Result<EventBlockPtr> read_block(BodyReader& reader, const QueryAnswerFrame& f, const SourceQuery& query,
                                 std::string_view& text, std::uint64_t payload_bytes_max) {
  auto block = std::make_shared<EventBlock>();
  block->proven_from = query.start;
  block->proven_to = f.next_start - 1;
  block->entries.reserve(f.count);
  Sequence after = query.start - 1;
  std::uint64_t end = 0;
  for (std::uint32_t i = 0; i < f.count; ++i) {
    EventRow row;
    if (!reader.read(row))
      return breach("query of '{}': the answer's length is malformed", shown(query.subject));
    if (Result<void> good = check_row(row, query, after, end); !good) return std::unexpected(good.error());
    if (row.payload_bytes > payload_bytes_max)
      return breach("query of '{}': event {} has {} bytes of payload, the limit is {}", shown(query.subject),
                    row.sequence, row.payload_bytes, payload_bytes_max);
    after = row.sequence;
    block->entries.push_back({.sequence = row.sequence,
                              .time_ns = row.time_ns,
                              .type_offset = row.type_offset,
                              .payload_offset = row.payload_offset,
                              .payload_bytes = row.payload_bytes,
                              .type_bytes = row.type_bytes});
  }
  if (after >= f.next_start && f.count > 0)
    return broken_rule("query of '{}': event {} is not below next_start {}", shown(query.subject), after,
                       f.next_start);
  std::string_view bytes;
  if (!reader.read_text(f.text_bytes, text) || !reader.read_text(end, bytes) || end > UINT32_MAX)
    return breach("query of '{}': the answer's length is malformed", shown(query.subject));
  block->bytes = bytes;
  return EventBlockPtr(std::move(block));
}

}  // namespace

Result<QueryAnswer> read_query_answer(Bytes body, const AskedCall& asked, std::uint64_t payload_bytes_max) {
  BodyReader reader(body);
  QueryAnswerFrame f;
  if (!reader.read(f)) return breach("query answer: its length is malformed");
  if (asked.is_scan || f.call != asked.id || f.index != asked.answered || f.index >= asked.queries.size())
    return breach("query answer: call {} index {} was not asked now", f.call, f.index);
  const SourceQuery& query = asked.queries[f.index];
  const auto status = static_cast<OutcomeKind>(f.status);
  if (!is_source_status(status))
    return breach("query of '{}': status {} is unknown", shown(query.subject), f.status);
  if (f.count > asked.max_events)
    return broken_rule("query of '{}': {} events are more than the {} asked for", shown(query.subject),
                       f.count, asked.max_events);
  QueryAnswer answer;
  answer.call = f.call;
  answer.tag = query.tag;
  answer.start = query.start;
  answer.status = status;
  std::string_view text;
  if (status != OutcomeKind::ok) {
    if (f.count != 0 || !reader.read_text(f.text_bytes, text))
      return breach("query of '{}': a failure with events", shown(query.subject));
    answer.reason = reason_text(text, status);
    if (status != OutcomeKind::protocol) return answer;
    if (f.next_start < query.start)
      return breach("query of '{}' from {}: event {} that fits no answer was not asked for",
                    shown(query.subject), query.start, f.next_start);
    answer.unreadable = f.next_start;
    return answer;
  }
  if (Result<void> good = check_range(f, query); !good) return std::unexpected(good.error());
  Result<EventBlockPtr> block = read_block(reader, f, query, text, payload_bytes_max);
  if (!block) return std::unexpected(block.error());
  answer.latest = f.latest;
  answer.more = f.more != 0;
  answer.block = std::move(*block);
  return answer;
}

Result<ReadScan> read_scan_answer(Bytes body, const AskedCall& asked) {
  BodyReader reader(body);
  ScanAnswerFrame f;
  if (!reader.read(f)) return breach("scan answer: its length is malformed");
  if (!asked.is_scan || f.call != asked.id) return breach("scan answer: call {} was not asked now", f.call);
  const auto status = static_cast<OutcomeKind>(f.status);
  if (!is_source_status(status)) return breach("scan: status {} is unknown", f.status);
  if (f.count > asked.max_subjects)
    return broken_rule("scan: {} subjects are more than the {} asked for", f.count, asked.max_subjects);
  if (f.more != 0 && f.count == 0 && status == OutcomeKind::ok)
    return broken_rule("scan: more, but no subject");
  ReadScan read;
  read.answer.call = f.call;
  read.answer.status = status;
  read.answer.more = f.more != 0;
  read.answer.token = asked.token;
  std::span<const std::uint8_t> rows = reader.rest();
  std::string_view skipped, text;
  if (!reader.read_text(std::uint64_t{f.count} * sizeof(SubjectRow), skipped) ||
      !reader.read_text(f.text_bytes, text))
    return breach("scan: the answer's length is malformed");
  if (status != OutcomeKind::ok) {
    read.answer.reason = reason_text(text, status);
    return read;
  }
  BodyReader row_reader(rows);
  for (std::uint32_t i = 0; i < f.count; ++i) {
    SubjectRow row;
    std::string_view subject;
    if (!row_reader.read(row) || !reader.read_text(row.subject_bytes, subject) ||
        row.subject_bytes > subject_bytes_max * 4)
      return breach("scan: the place of subject {} is malformed", i);
    if (subject <= read.answer.token)
      return broken_rule("scan: subject '{}' does not rise above '{}'", shown(subject),
                         shown(read.answer.token));
    if (row.latest < 0)
      return broken_rule("scan: latest {} of subject '{}' is negative", row.latest, shown(subject));
    read.answer.token = subject;
    if (subject_mistake(subject).empty())
      read.answer.subjects.push_back({.subject = std::string(subject), .latest = row.latest});
    else if (read.ill_formed++ == 0)
      read.first_ill_formed = shown(subject);
  }
  return read;
}

}  // namespace cape::child
