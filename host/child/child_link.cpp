#include "host/child/child_link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/clock.hpp"
#include "host/child/responses.hpp"

namespace cape::child {

ChildLink::ChildLink(ChildSpec spec, std::unique_ptr<ChildProcess> process)
    : spec_(std::move(spec)),
      process_(std::move(process)),
      writer_(process_->request_ring(), process_->ring_bytes()),
      reader_(process_->response_memfd(), header_bytes, process_->ring_bytes()),
      lines_(spec_.limits.log_lines_per_s, burst_s * spec_.limits.log_lines_per_s),
      start_deadline_ns_(boot_ns() + spec_.start_timeout_ms * ns_per_ms) {}

std::uint8_t* ChildLink::open_request(FrameKind kind, std::uint64_t body_bytes) {
  const Result<std::uint64_t> tail =
      request_tail_.accept(process_->response().request_tail.value.load(), writer_.head());
  if (!tail) break_off(tail.error());
  if (!takes_requests()) return nullptr;
  const auto slot = writer_.find(body_bytes, *tail);
  if (!slot) return nullptr;
  if (!process_->back_request(writer_.head(), slot->padding + slot->bytes)) return nullptr;
  return writer_.take(*slot, static_cast<std::uint32_t>(kind));
}

void ChildLink::publish_request() {
  request().head.value.store(writer_.head());
}

void ChildLink::wake() {
  const ResponseHeader& response = process_->response();
  if (response.child_sleeps.value.load() != sleeps_for_request) return;
  const std::uint64_t tail = response.request_tail.value.load();
  if (tail != writer_.head() && doorbell_.must_ring(tail)) process_->ring_doorbell();
}

ChildProcess::Events ChildLink::begin_poll() {
  request().host_sleeps.value.store(0);
  ChildProcess::Events events = process_->poll();
  if (!events.stderr_lines.empty()) stderr_tail_ = events.stderr_lines.back();
  seen_end_ = process_->end() != nullptr;  // before the ring is read: what comes then is all there will be
  left_ = {.frames = frames_per_poll_max,
           .bytes = std::min(bytes_per_poll_max, rings_per_poll_max * process_->ring_bytes()),
           .rounds = rounds_per_poll_max};
  if (!seen_end_) watch_start();
  return events;
}

void ChildLink::watch_start() {
  if (ready_ || kill_why_ || breach_ || boot_ns() < start_deadline_ns_) return;
  kill({OutcomeKind::setup, fmt::format("it was not ready after {} ms", spec_.start_timeout_ms)});
}

// Padding is passed over inside the reader: it counts by the bytes that it moves the position.
Result<std::optional<Frame>> ChildLink::read_frame() {
  const std::uint64_t before = reader_.position();
  Result<std::optional<Frame>> frame = reader_.next(process_->response().head.value.load());
  left_.bytes -= std::min(left_.bytes, reader_.position() - before);
  if (frame && *frame && left_.frames > 0) --left_.frames;
  return frame;
}

std::optional<Frame> ChildLink::next() {
  while (!breach_) {
    // What a dead child left is less than a ring.
    if (left_.over() && !seen_end_) {
      put_off();
      break;
    }
    Result<std::optional<Frame>> frame = read_frame();
    if (!frame) {
      break_off(frame.error());
      break;
    }
    if (*frame) return *frame;
    publish_tail();
    if (seen_end_ || sleep_again()) break;
    if (left_.rounds > 0) --left_.rounds;
  }
  return std::nullopt;
}

void ChildLink::publish_tail() {
  request().response_tail.value.store(reader_.position());
  if (process_->response().child_sleeps.value.load() == sleeps_for_room) process_->ring_doorbell();
}

// Announces that we want the doorbell again, then looks once more: what the child published before it could
// see the announcement is found here, what it publishes after it rings. true: nothing to read.
bool ChildLink::sleep_again() {
  request().host_sleeps.value.store(1);
  if (process_->response().head.value.load() == reader_.position()) return true;
  request().host_sleeps.value.store(0);
  return false;
}

// Enough for one poll. If the child sleeps by now, it must wake to find its responses unread and ring back.
void ChildLink::put_off() {
  publish_tail();
  if (!sleep_again()) {
    request().host_sleeps.value.store(1);
    process_->ring_doorbell();
  }
}

EndFacts ChildLink::end_facts() const {
  EndFacts facts;
  facts.process = *process_->end();
  facts.phase = read_phase(process_->response());
  facts.words = read_last_words(process_->response());
  facts.ready = ready_;
  facts.stop_asked = stop_asked_;
  facts.breach = breach_;
  facts.breach_of_contract = breach_of_contract_;
  facts.kill_why = kill_why_;
  facts.stderr_tail = stderr_tail_;
  return facts;
}

ChildWords ChildLink::words() const {
  const ResponseHeader& response = process_->response();
  // finished first: it can only fall behind progress between the two loads, never pass it.
  const std::uint64_t finished = response.finished.value.load();
  return {.progress = response.progress.value.load(), .finished = finished, .phase = read_phase(response)};
}

std::uint64_t ChildLink::heartbeat() const {
  return process_->response().heartbeat.value.load(std::memory_order_relaxed);
}

Result<void> ChildLink::take_metric(std::span<const std::uint8_t> body) {
  const Result<MetricView> view = read_metric(body);
  if (!view) return std::unexpected(view.error());
  if (view->frame.id != metrics_.size() + 1 || view->frame.id > metrics_max)
    return fail(ErrorCode::protocol, fmt::format("metric frame: id {} is out of turn", view->frame.id));
  metrics_.push_back({.name = std::string(view->name), .is_gauge = view->frame.kind == 1});
  return {};
}

std::vector<ChildMetric> ChildLink::metrics() const {
  std::vector<ChildMetric> found = metrics_;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto bits = process_->response().metrics[i].load(std::memory_order_relaxed);
    const auto value = std::bit_cast<double>(bits);
    found[i].value = std::isfinite(value) && (found[i].is_gauge || value >= 0) ? value : 0;
  }
  return found;
}

void ChildLink::stop() {
  if (stop_asked_ || process_->end() != nullptr) return;
  stop_asked_ = true;
  request().stopping.value.store(1);
  process_->ring_doorbell();
}

void ChildLink::kill(Outcome why) {
  if (process_->end() != nullptr) return;
  if (!kill_why_) kill_why_ = std::move(why);
  process_->kill();
}

std::optional<ChildUsage> ChildLink::usage() {
  if (!ready_ || seen_end_) return std::nullopt;
  const std::optional<ChildUsage> usage = usage_.read(process_->pid());
  const std::uint64_t most = process_->memory_most();
  if (usage && most > 0 && usage->resident_bytes > most)
    kill({OutcomeKind::oom,
          fmt::format("it has {} MiB in memory, more than limits.memory, {} MiB, and what its library, threads "
                      "and host need",
                      usage->resident_bytes >> 20, spec_.limits.memory_bytes >> 20)});
  return usage;
}

void ChildLink::break_off(const Error& error) {
  if (!breach_) breach_of_contract_ = error.code == ErrorCode::invalid;
  if (!breach_) breach_ = error.message;
  process_->kill();
}

std::optional<ChildLog> ChildLink::admit(ChildLog line) {
  if (!lines_.admit(boot_ns())) return std::nullopt;
  return line;
}

std::optional<ChildLog> ChildLink::tell_held_back() {
  const std::uint64_t count = lines_.take_held_back(boot_ns(), seen_end_);
  if (count == 0) return std::nullopt;
  return ChildLog{
      .severity = 2,
      .text = fmt::format("{} lines are not shown: it logs more than {} a second (limits.log_lines)", count,
                          spec_.limits.log_lines_per_s),
      .dropped = 0};
}

std::vector<ChildLog> to_logs(const ChildProcess::Events& events) {
  std::vector<ChildLog> logs;
  for (const std::string& line : events.stderr_lines)
    logs.push_back({.severity = 1, .text = "stderr: " + line, .dropped = 0});
  if (!logs.empty()) logs.back().dropped = events.stderr_dropped;
  return logs;
}

}  // namespace cape::child
