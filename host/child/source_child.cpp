#include "host/child/source_child.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "core/clock.hpp"
#include "host/child/answers.hpp"
#include "host/child/child_link.hpp"
#include "host/child/frames.hpp"
#include "host/child/over_process.hpp"

namespace cape::child {
namespace {

template <class T>
Result<void> append(Result<T> report, std::vector<SourceReport>& out) {
  if (!report) return std::unexpected(report.error());
  out.emplace_back(std::move(*report));
  return {};
}

class SourceChildOverProcess final : public SourceChild {
 public:
  SourceChildOverProcess(ChildSpec spec, std::unique_ptr<ChildProcess> process)
      : link_(std::move(spec), std::move(process)) {}

  int fd() const override { return link_.process().fd(); }
  int pid() const override { return ended_ ? 0 : link_.process().pid(); }
  void poll(std::vector<SourceReport>& out) override;

  std::optional<CallId> query(const std::vector<SourceQuery>& queries, std::uint32_t max_events,
                              std::uint64_t max_bytes) override;
  std::optional<CallId> scan(std::string_view token, std::uint32_t max_subjects) override;
  std::size_t calls_out() const override { return calls_.size(); }
  Waiting waiting() override;
  std::optional<ChildUsage> usage() override { return link_.usage(); }
  std::vector<ChildMetric> metrics() const override { return link_.metrics(); }

  void set_lease_end(std::int64_t boot_ns) override { link_.process().set_lease_end(boot_ns); }
  void stop() override { link_.stop(); }
  void kill(Outcome why) override { link_.kill(std::move(why)); }

 private:
  Result<void> take(const Frame& frame, std::vector<SourceReport>& out);
  Result<void> take_common(const Frame& frame, std::vector<SourceReport>& out);
  Result<void> take_log(Result<ChildLog> line, std::vector<SourceReport>& out);
  Result<void> take_query_answer(Bytes body, std::vector<SourceReport>& out);
  Result<void> take_scan_answer(Bytes body, std::vector<SourceReport>& out);
  CallId publish(AskedCall call);
  void call_done(std::vector<SourceReport>& out);
  std::string name_running() const;
  void end(std::vector<SourceReport>& out);

  ChildLink link_;
  std::deque<AskedCall> calls_;  // in the order asked; answered in that order
  CallId last_call_ = 0;
  std::uint64_t next_number_ = 0;
  // Of the oldest call: asked or answered in part; and besides, heard a heartbeat of.
  std::int64_t answered_ns_ = 0, moved_ns_ = 0;
  std::uint64_t seen_beat_ = 0;
  bool ended_ = false;
};

void SourceChildOverProcess::poll(std::vector<SourceReport>& out) {
  if (ended_) return;
  for (ChildLog& line : to_logs(link_.begin_poll())) out.emplace_back(std::move(line));
  while (const std::optional<Frame> frame = link_.next())
    if (Result<void> good = take(*frame, out); !good) link_.break_off(good.error());
  if (std::optional<ChildLog> told = link_.tell_held_back()) out.emplace_back(std::move(*told));
  if (link_.ended()) end(out);
}

Result<void> SourceChildOverProcess::take(const Frame& frame, std::vector<SourceReport>& out) {
  const auto kind = static_cast<FrameKind>(frame.kind);
  if (kind != FrameKind::query_answer && kind != FrameKind::scan_answer) return take_common(frame, out);
  if (!link_.ready() || calls_.empty())
    return fail(ErrorCode::protocol, "an answer although nothing was asked");
  moved_ns_ = answered_ns_ = boot_ns();
  return kind == FrameKind::query_answer ? take_query_answer(frame.body, out)
                                         : take_scan_answer(frame.body, out);
}

Result<void> SourceChildOverProcess::take_common(const Frame& frame, std::vector<SourceReport>& out) {
  const auto kind = static_cast<FrameKind>(frame.kind);
  if (kind == FrameKind::log) return take_log(read_log(frame.body), out);
  if (kind == FrameKind::source_ping) return append(read_source_ping(frame.body), out);
  if (kind == FrameKind::metric) return link_.take_metric(frame.body);
  if (kind != FrameKind::ready || link_.ready())
    return fail(ErrorCode::protocol, fmt::format("frame kind {} is not expected now", frame.kind));
  link_.set_ready();
  return append(read_ready(frame.body), out);
}

Result<void> SourceChildOverProcess::take_log(Result<ChildLog> line, std::vector<SourceReport>& out) {
  if (!line) return std::unexpected(line.error());
  if (std::optional<ChildLog> admitted = link_.admit(std::move(*line)))
    out.emplace_back(std::move(*admitted));
  return {};
}

Result<void> SourceChildOverProcess::take_query_answer(Bytes body, std::vector<SourceReport>& out) {
  AskedCall& call = calls_.front();
  Result<QueryAnswer> answer = read_query_answer(body, call, link_.spec().payload_bytes_max);
  if (!answer) return std::unexpected(answer.error());
  out.emplace_back(std::move(*answer));
  if (++call.answered == call.queries.size()) call_done(out);
  return {};
}

Result<void> SourceChildOverProcess::take_scan_answer(Bytes body, std::vector<SourceReport>& out) {
  Result<ReadScan> read = read_scan_answer(body, calls_.front());
  if (!read) return std::unexpected(read.error());
  if (read->ill_formed > 0) {
    ChildLog line{.severity = 2,
                  .text = fmt::format("scan: {} subjects are left out, they are not 1 to 255 bytes of UTF-8 "
                                      "without NUL; the first is '{}'",
                                      read->ill_formed, read->first_ill_formed),
                  .dropped = 0};
    (void)take_log(std::move(line), out);  // cannot fail
  }
  out.emplace_back(std::move(read->answer));
  call_done(out);
  return {};
}

void SourceChildOverProcess::call_done(std::vector<SourceReport>& out) {
  out.emplace_back(CallDone{.call = calls_.front().id});
  calls_.pop_front();
}

CallId SourceChildOverProcess::publish(AskedCall call) {
  link_.publish_request();
  link_.wake();
  if (calls_.empty()) moved_ns_ = answered_ns_ = boot_ns();
  next_number_ += call.is_scan ? 1 : call.queries.size();
  calls_.push_back(std::move(call));
  return last_call_;
}

std::optional<CallId> SourceChildOverProcess::query(const std::vector<SourceQuery>& queries,
                                                    std::uint32_t max_events, std::uint64_t max_bytes) {
  CAPE_CHECK(!queries.empty() && queries.size() <= queries_per_call_max && max_events > 0);
  std::uint64_t body_bytes = sizeof(QueryCallFrame) + queries.size() * sizeof(QueryRow);
  for (const SourceQuery& q : queries) body_bytes += q.subject.size();
  CAPE_CHECK(body_bytes <= link_.request_body_bytes_max());
  std::uint8_t* at = link_.open_request(FrameKind::query_call, body_bytes);
  if (at == nullptr) return std::nullopt;

  BodyWriter rows(at);
  BodyWriter bytes(at + sizeof(QueryCallFrame) + queries.size() * sizeof(QueryRow));
  const auto count = static_cast<std::uint32_t>(queries.size());
  rows.write(QueryCallFrame{.call = ++last_call_,
                            .first_number = next_number_,
                            .max_bytes = max_bytes,
                            .max_events = max_events,
                            .count = count});
  std::uint32_t offset = 0;
  for (const SourceQuery& q : queries) {
    const auto subject_bytes = static_cast<std::uint32_t>(q.subject.size());
    rows.write(QueryRow{.start = q.start, .subject_offset = offset, .subject_bytes = subject_bytes});
    bytes.write_text(q.subject);
    offset += subject_bytes;
  }
  return publish({.id = last_call_,
                  .is_scan = false,
                  .queries = queries,
                  .max_events = max_events,
                  .answered = 0,
                  .token = {},
                  .max_subjects = 0});
}

std::optional<CallId> SourceChildOverProcess::scan(std::string_view token, std::uint32_t max_subjects) {
  CAPE_CHECK(max_subjects > 0 && sizeof(ScanCallFrame) + token.size() <= link_.request_body_bytes_max());
  std::uint8_t* at = link_.open_request(FrameKind::scan_call, sizeof(ScanCallFrame) + token.size());
  if (at == nullptr) return std::nullopt;
  BodyWriter body(at);
  body.write(ScanCallFrame{.call = ++last_call_,
                           .first_number = next_number_,
                           .max_subjects = max_subjects,
                           .token_bytes = static_cast<std::uint32_t>(token.size())});
  body.write_text(token);
  return publish({.id = last_call_,
                  .is_scan = true,
                  .queries = {},
                  .max_events = 0,
                  .answered = 0,
                  .token = std::string(token),
                  .max_subjects = max_subjects});
}

SourceChild::Waiting SourceChildOverProcess::waiting() {
  if (ended_ || calls_.empty()) return {};
  if (!link_.ready()) return {};  // the start timeout watches
  if (const std::uint64_t beat = link_.heartbeat(); beat != seen_beat_) {
    seen_beat_ = beat;
    moved_ns_ = boot_ns();
  }
  return {moved_ns_, answered_ns_};
}

std::string SourceChildOverProcess::name_running() const {
  if (calls_.empty() || !link_.ready()) return {};
  const AskedCall& call = calls_.front();
  if (call.is_scan) return fmt::format("a scan after '{}'", printable(call.token, subject_bytes_max));
  const SourceQuery& query = call.queries[call.answered];
  return fmt::format("a query of '{}' from {}", printable(query.subject, subject_bytes_max), query.start);
}

void SourceChildOverProcess::end(std::vector<SourceReport>& out) {
  const ChildWords words = link_.words();
  EndFacts facts = link_.end_facts();
  if (words.phase == Phase::process) facts.running = name_running();
  ChildEnded ended;
  ended.end = describe_end(link_.spec(), facts);
  ended.cause = cause_of(link_.spec(), facts);
  ended.check = check_of(link_.spec(), facts);
  ended.had_started_an_event = link_.ready() && words.progress > 0;
  calls_.clear();
  out.emplace_back(std::move(ended));
  ended_ = true;
}

}  // namespace

std::unique_ptr<SourceChild> make_source_child(ChildSpec spec, std::unique_ptr<ChildProcess> process) {
  return std::make_unique<SourceChildOverProcess>(std::move(spec), std::move(process));
}

Result<std::unique_ptr<SourceChild>> start_source_child(const ChildSpec& spec) {
  Result<std::unique_ptr<ChildProcess>> process = ChildProcess::start(spec);
  if (!process) return std::unexpected(process.error());
  return make_source_child(spec, std::move(*process));
}

}  // namespace cape::child
