#include "host/child/runner/source_service.hpp"

#include <algorithm>
#include <limits>

#include "core/clock.hpp"
#include "host/child/runner/abi_bytes.hpp"
#include "host/child/runner/call.hpp"

namespace cape::child {
namespace {

// Answers of one batch call lie in private memory until it returns.
constexpr std::uint64_t gathered_bytes_max = 8u << 20;
constexpr std::size_t group_max = 256;
// No status of any kind: a query that a batch does not touch must not look answered.
constexpr cape_status untouched_status = std::numeric_limits<cape_status>::min();

const cape_source_batch* find_batch(const cape_source& source, void* self) {
  if (!CAPE_HAS(&source, get_extension)) return nullptr;
  const auto* batch =
      static_cast<const cape_source_batch*>(source.get_extension(self, CAPE_EXT_SOURCE_BATCH));
  return batch != nullptr && CAPE_HAS(batch, query_batch) ? batch : nullptr;
}

OutcomeKind kind_of(cape_status status) {
  if (status == CAPE_NOT_FOUND) return OutcomeKind::not_found;
  const OutcomeKind kind = outcome_of_plugin_status(status);
  return kind == OutcomeKind::skipped ? OutcomeKind::failed : kind;
}

std::string describe(const Verdict& verdict, const std::string& error) {
  std::string text = verdict.text;
  if (verdict.status == untouched_status)
    text = "query_batch left it untouched: it must set the status of each query";
  else if (text.empty() && static_cast<cape_status>(kind_of(verdict.status)) != verdict.status)
    text = "returned " + std::to_string(verdict.status) + ", which is not a status of a source";
  if (!error.empty()) text += (text.empty() ? "" : ": ") + error;
  return text.substr(0, reason_bytes_max);
}

}  // namespace

SourceService::SourceService(const Setup& setup, Channel& channel, const cape_source& source, void* self)
    : setup_(setup),
      channel_(channel),
      source_(source),
      self_(self),
      batch_(find_batch(source, self)),
      call_(channel, setup),
      pacing_(channel) {}

void SourceService::run() {
  for (;;) {
    const bool stopping = channel_.stopping();  // before the look at the ring: nothing is asked after it
    if (const std::optional<Frame> frame = channel_.next_request()) {
      answer(*frame);
      continue;
    }
    if (stopping) break;
    channel_.set_phase(Phase::idle);
    channel_.wait_for_request();
    pacing_.rung();
  }
  channel_.ring_host();
}

void SourceService::answer(const Frame& frame) {
  channel_.set_phase(Phase::process);
  const auto kind = static_cast<FrameKind>(frame.kind);
  CAPE_CHECK(kind == FrameKind::query_call || kind == FrameKind::scan_call);
  kind == FrameKind::query_call ? answer_query_call(frame.body) : answer_scan_call(frame.body);
  channel_.consumed();
}

std::size_t SourceService::group_size(const QueryCallFrame& call) const {
  if (batch_ == nullptr) return 1;
  return std::clamp<std::size_t>(gathered_bytes_max / std::max<std::uint64_t>(call.max_bytes, 1), 1,
                                 group_max);
}

void SourceService::answer_query_call(std::span<const std::uint8_t> body) {
  BodyReader reader(body);
  QueryCallFrame call;
  CAPE_CHECK(reader.read(call));
  std::vector<cape_source_query> queries(call.count);
  std::vector<QueryRow> rows(call.count);
  for (QueryRow& row : rows) CAPE_CHECK(reader.read(row));
  const std::string_view subjects(reinterpret_cast<const char*>(reader.rest().data()), reader.rest().size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i].subject = bytes_of(subjects.substr(rows[i].subject_offset, rows[i].subject_bytes));
    queries[i].start = queries[i].next_start = rows[i].start;
    queries[i].status = untouched_status;
  }
  for (std::size_t at = 0; at < queries.size();) {
    const std::span<cape_source_query> group =
        std::span(queries).subspan(at, std::min(group_size(call), queries.size() - at));
    const std::vector<Verdict> verdicts = query_group(group, call, static_cast<std::uint32_t>(at));
    for (std::size_t i = 0; i < group.size(); ++i, ++at)
      send_answer(call, static_cast<std::uint32_t>(at), group[i], verdicts[i], call_.events(i));
    channel_.response().finished.value.store(call.first_number + at);
  }
}

std::vector<Verdict> SourceService::query_group(std::span<cape_source_query> queries,
                                                const QueryCallFrame& call, std::uint32_t first) {
  const AnswerLimits limits{.events_max = call.max_events,
                            .payload_bytes_max = setup_.payload_bytes_max,
                            .body_bytes_max = channel_.body_bytes_max()};
  const std::uint64_t number = call.first_number + first;
  channel_.response().progress.value.store(number + 1);
  beat(channel_.response());
  cape_call* abi_call = call_.begin_queries(queries.size(), limits, number);
  std::vector<Verdict> verdicts(queries.size());
  if (queries.size() == 1) {
    cape_source_query& q = queries[0];
    verdicts[0] = guard([&] {
      return source_.query(self_, abi_call, q.subject, q.start, call.max_events, call.max_bytes,
                           &q.next_start, &q.latest, &q.more);
    });
    return verdicts;
  }
  const auto n = static_cast<std::uint32_t>(queries.size());
  const Verdict whole = guard([&] {
    return batch_->query_batch(self_, abi_call, queries.data(), n, call.max_events, call.max_bytes);
  });
  for (std::size_t i = 0; i < queries.size(); ++i)
    verdicts[i] = whole.status == CAPE_OK ? Verdict{.status = queries[i].status, .text = {}} : whole;
  return verdicts;
}

void SourceService::send_answer(const QueryCallFrame& call, std::uint32_t index,
                                const cape_source_query& query, const Verdict& verdict,
                                GatheredEvents& gathered) {
  OutcomeKind kind = kind_of(verdict.status);
  std::string text = kind == OutcomeKind::ok ? std::string() : describe(verdict, gathered.error);
  const bool cut = gathered.refused && query.next_start > *gathered.refused;
  Sequence next_start = cut ? *gathered.refused : query.next_start;
  // An event that fits no answer fails this subject alone, not the source: next_start says which one it is.
  if (!gathered.mistake.empty()) {
    kind = OutcomeKind::protocol;
    text = gathered.mistake;
    next_start = *gathered.refused;
  }
  if (kind != OutcomeKind::ok) gathered = {};
  const QueryAnswerFrame frame{.call = call.call,
                               .next_start = next_start,
                               .latest = query.latest,
                               .index = index,
                               .more = cut || query.more != 0 ? 1u : 0u,
                               .count = static_cast<std::uint32_t>(gathered.rows.size()),
                               .text_bytes = static_cast<std::uint32_t>(text.size()),
                               .status = static_cast<std::int32_t>(kind),
                               .reserved = 0};
  const std::uint64_t body_bytes =
      sizeof frame + gathered.rows.size() * sizeof(EventRow) + text.size() + gathered.bytes.size();
  channel_.send(FrameKind::query_answer, body_bytes, [&](BodyWriter& body) {
    body.write(frame);
    for (const EventRow& row : gathered.rows) body.write(row);
    body.write_text(text);
    body.write_text(gathered.bytes);
  });
  pacing_.published(boot_ns(), 0);
}

void SourceService::answer_scan_call(std::span<const std::uint8_t> body) {
  BodyReader reader(body);
  ScanCallFrame call;
  std::string_view token;
  CAPE_CHECK(reader.read(call) && reader.read_text(call.token_bytes, token));
  channel_.response().progress.value.store(call.first_number + 1);
  beat(channel_.response());
  cape_call* abi_call = call_.begin_scan(call.max_subjects);
  std::uint32_t more = 0;
  const Verdict verdict =
      guard([&] { return source_.scan(self_, abi_call, bytes_of(token), call.max_subjects, &more); });
  GatheredSubjects& gathered = call_.subjects();
  const OutcomeKind kind = kind_of(verdict.status);
  const std::string text = kind == OutcomeKind::ok ? std::string() : describe(verdict, gathered.error);
  if (kind != OutcomeKind::ok) gathered = {};
  const ScanAnswerFrame frame{.call = call.call,
                              .more = more != 0 || gathered.refused ? 1u : 0u,
                              .count = static_cast<std::uint32_t>(gathered.rows.size()),
                              .text_bytes = static_cast<std::uint32_t>(text.size()),
                              .status = static_cast<std::int32_t>(kind)};
  const std::uint64_t body_bytes =
      sizeof frame + gathered.rows.size() * sizeof(SubjectRow) + text.size() + gathered.bytes.size();
  channel_.send(FrameKind::scan_answer, body_bytes, [&](BodyWriter& out) {
    out.write(frame);
    for (const SubjectRow& row : gathered.rows) out.write(row);
    out.write_text(text);
    out.write_text(gathered.bytes);
  });
  channel_.response().finished.value.store(call.first_number + 1);
  pacing_.published(boot_ns(), 0);
}

}  // namespace cape::child
