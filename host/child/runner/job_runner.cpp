#include "host/child/runner/job_runner.hpp"

#include <algorithm>
#include <limits>

#include "core/clock.hpp"
#include "host/child/runner/abi_bytes.hpp"

namespace cape::child {
namespace {

constexpr cape_status unset_status = std::numeric_limits<cape_status>::min();

bool is_status(cape_status status) {
  return static_cast<cape_status>(outcome_of_plugin_status(status)) == status;
}

LambdaFault fault_of(const Verdict& verdict) {
  if (verdict.threw) return LambdaFault::exception;
  if (verdict.lost_output) return LambdaFault::output_lost;
  if (verdict.status == unset_status) return LambdaFault::no_status;
  return is_status(verdict.status) ? LambdaFault::none : LambdaFault::unknown_status;
}

// What a person reads about a status that is neither OK nor SKIPPED.
std::string describe(const Verdict& verdict, const LambdaCall::Complaint* complaint) {
  std::string text = verdict.text;
  if (verdict.status == unset_status)
    text = "process_batch gave no status for it";
  else if (text.empty() && !is_status(verdict.status))
    text = "returned " + std::to_string(verdict.status) + ", which is not a status of a lambda";
  if (complaint != nullptr && !complaint->text.empty()) text += (text.empty() ? "" : ": ") + complaint->text;
  return text.substr(0, reason_bytes_max);
}

// A job's result does not tell which of its events were SKIPPED; where that is compared, their outputs do.
std::string marked_skipped(std::string_view output) {
  return "SKIPPED" + (output.empty() ? "" : " " + std::string(output));
}

}  // namespace

std::optional<JobView> JobView::read(std::span<const std::uint8_t> body) {
  BodyReader reader(body);
  JobView job;
  if (!reader.read(job.frame)) return std::nullopt;
  job.rows = reader.rest();
  std::string_view rows;
  const std::uint64_t input_rows = job.frame.input_count * (1 + std::uint64_t{job.frame.count});
  if (!reader.read_text(job.frame.count * sizeof(EventRow) + input_rows * sizeof(InputRow), rows))
    return std::nullopt;
  job.bytes = {reinterpret_cast<const char*>(reader.rest().data()), reader.rest().size()};
  return job;
}

EventRow JobView::row(std::uint32_t index) const {
  EventRow row;
  std::memcpy(&row, rows.data() + index * sizeof row, sizeof row);
  return row;
}

std::string_view JobView::input_at(std::uint32_t index) const {
  InputRow row;
  std::memcpy(&row, rows.data() + frame.count * sizeof(EventRow) + index * sizeof row, sizeof row);
  return bytes.substr(row.offset, row.bytes);
}

JobRunner::JobRunner(const Setup& setup, Channel& channel, const cape_lambda& lambda, void* self)
    : setup_(setup),
      channel_(channel),
      lambda_(lambda),
      self_(self),
      call_(channel, setup, setup.output_bytes),
      flush_call_(channel, setup, 0),
      marks_skipped_(setup.drill == "C5" || setup.drill == "C6") {
  if (setup.drill == "C8") fences_ = std::make_unique<FencedBytes>();
  if (setup.drill == "F3") older_events_ = std::make_unique<FencedBytes>();
  for (std::size_t i = 0; i < events_.size(); ++i) pointers_[i] = &events_[i];
}

JobResult JobRunner::run(const JobView& job, std::int64_t now_ns) {
  JobResult result{};
  result.job = job.frame.job;
  job_start_ns_ = now_ns;
  job_output_bytes_ = 0;
  channel_.set_phase(Phase::process);
  std::uint32_t at = 0;
  while (at < job.frame.count) {
    const char* full_why = full(job);  // what is left comes again as another job
    const std::uint32_t events = full_why ? 0 : start(job.frame.first_number + at, call_size(job, at));
    if (events == 0) {
      result.end = OutcomeKind::cancelled;
      result.text = full_why ? full_why : "taken back before it began";
      break;
    }
    if (at == 0) result.first_start_ns = now_ns;
    fill_events(job, at, events);
    call(job, job.frame.first_number + at + events, events);
    if (!settle(job, at, events, result)) break;
    at += events;
  }
  result.end_ns = boot_ns();
  return result;
}

// Why no further event of the job may start now; null: one may.
const char* JobRunner::full(const JobView& job) const {
  if (output_bytes_ > outputs_soft_bytes_max) return "the outputs before it fill a batch";
  const bool fills_job = job.frame.outputs_bytes_max > 0 && job_output_bytes_ >= job.frame.outputs_bytes_max;
  return fills_job ? "the outputs before it are as many as may wait" : nullptr;
}

std::uint32_t JobRunner::call_size(const JobView& job, std::uint32_t at) const {
  const bool together = lambda_.process_batch != nullptr && is_ordered();
  return together && !job.singly() ? std::min(job.frame.count - at, call_events_max) : 1;
}

// The child's half of take-back: store progress, then load take_back. How many of them may start.
std::uint32_t JobRunner::start(std::uint64_t number, std::uint32_t events) {
  channel_.response().progress.value.store(number + events);
  beat(channel_.response());
  const std::uint64_t take_back = channel_.request().take_back.value.load();
  if (take_back >= number + events) return events;
  return take_back > number ? static_cast<std::uint32_t>(take_back - number) : 0;
}

void JobRunner::fill_events(const JobView& job, std::uint32_t at, std::uint32_t events) {
  if (fences_) fences_->clear();
  for (std::uint32_t i = 0; i < events; ++i) {
    const EventRow row = job.row(at + i);
    cape_event& e = events_[i];
    e.sequence = row.sequence;
    e.time_ns = row.time_ns;
    e.domain = bytes_of(setup_.domain);
    e.subject = bytes_of(job.subject());
    e.type = bytes_of(job.bytes.substr(row.type_offset, row.type_bytes));
    e.payload = bytes_of(job.bytes.substr(row.payload_offset, row.payload_bytes));
    if (fences_) e.payload = fences_->fence(e.payload);
    e.fence = job.frame.job;
    e.attempt = at + i == 0 ? job.frame.attempt : 0;
    e.flags = ((job.frame.flags & job_may_repeat) != 0 ? CAPE_EVENT_MAY_REPEAT : 0) |
              (setup_.replay ? CAPE_EVENT_REPLAY : 0);
    if ((job.frame.flags & job_late) != 0) e.flags |= CAPE_EVENT_LATE;
    e.struct_size = sizeof e;
    e.input_count = 0;  // of the job before this one
    e.inputs = nullptr;
  }
  if (job.frame.input_count > 0) fill_inputs(job, at, events);
  if (!older_events_) return;
  older_events_->clear();
  for (std::uint32_t i = 0; i < events; ++i) pointers_[i] = older_event(events_[i], *older_events_);
}

void JobRunner::fill_inputs(const JobView& job, std::uint32_t at, std::uint32_t events) {
  const std::uint32_t count = job.frame.input_count;
  inputs_.resize(std::size_t{events} * count);
  input_pointers_.resize(inputs_.size());
  for (std::uint32_t i = 0; i < events; ++i) {
    for (std::uint32_t k = 0; k < count; ++k) {
      cape_input& input = inputs_[i * count + k];
      input.lambda = bytes_of(job.input_name(k));
      input.output = bytes_of(job.input(at + i, k));
      input_pointers_[i * count + k] = &input;
    }
    events_[i].input_count = count;
    events_[i].inputs = &input_pointers_[i * count];
  }
}

// Is it process that runs them? Without the flag process_batch runs each event, in a call of its own: a job is
// of one subject. What runs singly must not depend on it, for it may have died in it.
bool JobRunner::takes_one(const JobView& job, std::uint32_t events) const {
  if (lambda_.process_batch == nullptr || job.singly()) return true;
  return events == 1 && is_ordered();
}

Verdict JobRunner::call_process(const JobView& job, cape_call* call) {
  Verdict verdict = guard([&] { return lambda_.process(self_, call, pointers_[0]); });
  hold_to_outputs(0, verdict);
  if (!has_flush() || !job.singly() || verdict.status != CAPE_OK) return verdict;
  Verdict flushed = flush();
  channel_.set_phase(Phase::process);
  return flushed.status == CAPE_OK ? verdict : flushed;
}

// Leaves one verdict an event.
void JobRunner::call(const JobView& job, std::uint64_t progress, std::uint32_t events) {
  cape_call* call = call_.begin(events, progress, job_start_ns_);
  if (takes_one(job, events)) {
    verdicts_[0] = call_process(job, call);
    return;
  }
  std::fill_n(statuses_.begin(), events, unset_status);
  const Verdict whole =
      guard([&] { return lambda_.process_batch(self_, call, pointers_.data(), events, statuses_.data()); });
  for (std::uint32_t i = 0; i < events; ++i) {
    verdicts_[i] = whole.status == CAPE_OK ? Verdict{.status = statuses_[i], .text = {}} : whole;
    hold_to_outputs(i, verdicts_[i]);
  }
}

// OK is no word for an event whose output was refused: those that need it would get nothing in its place.
void JobRunner::hold_to_outputs(std::uint32_t index, Verdict& verdict) const {
  const cape_status refused = call_.refused(index);
  if (refused == CAPE_OK || (verdict.status != CAPE_OK && verdict.status != refused)) return;
  verdict.lost_output = verdict.status == CAPE_OK;
  verdict.status = refused;
  if (verdict.text.empty() && (verdict.lost_output || call_.complaint(index) == nullptr))
    verdict.text = call_.refusal_text(index);
}

// Takes the verdicts in order up to the first failure; false: there is one. An output is published before its
// event counts as finished: if the child dies in between, the host has both or neither.
bool JobRunner::settle(const JobView& job, std::uint32_t at, std::uint32_t events, JobResult& result) {
  std::uint32_t done = 0;
  OutcomeKind kind = OutcomeKind::ok;
  for (; done < events; ++done) {
    kind = outcome_of_plugin_status(verdicts_[done].status);
    if (!is_done(kind)) break;
    if (marks_skipped_ && kind == OutcomeKind::skipped)
      send_output(job.frame.job, at + done, marked_skipped(call_.output(done)).substr(0, setup_.output_bytes));
    else if (call_.has_output(done))
      send_output(job.frame.job, at + done, call_.output(done));
    note_done(kind, result);
  }
  channel_.response().finished.value.store(job.frame.first_number + at + done);
  if (done == events) return true;
  note_failure(done, kind, result);
  return false;
}

void JobRunner::note_done(OutcomeKind kind, JobResult& result) {
  ++result.events_done;
  if (kind == OutcomeKind::ok) result.any_ok = true;
  if (!result.any_ok) ++result.skipped_first;
}

void JobRunner::note_failure(std::uint32_t index, OutcomeKind kind, JobResult& result) {
  const LambdaCall::Complaint* complaint = call_.complaint(index);
  result.end = kind;
  result.started = true;
  result.app_code = complaint != nullptr ? complaint->app_code : 0;
  result.fault = fault_of(verdicts_[index]);
  result.text = describe(verdicts_[index], complaint);
}

void JobRunner::send_output(std::uint64_t job, std::uint32_t event, std::string_view output) {
  output_bytes_ += output.size();
  job_output_bytes_ += output.size();
  const OutputFrame frame{
      .job = job, .index = event, .output_bytes = static_cast<std::uint32_t>(output.size())};
  channel_.send(FrameKind::output, sizeof frame + output.size(), [&](BodyWriter& body) {
    body.write(frame);
    body.write_text(output);
  });
}

Verdict JobRunner::flush() {
  channel_.set_phase(Phase::flush);
  cape_call* call =
      flush_call_.begin(1, channel_.response().progress.value.load(std::memory_order_relaxed), job_start_ns_);
  Verdict verdict = guard([&] { return lambda_.flush(self_, call); });
  if (is_done(outcome_of_plugin_status(verdict.status))) return {};
  verdict.text = "flush: " + describe(verdict, flush_call_.complaint(0));
  return verdict;
}

void JobRunner::apply_flush(const Verdict& verdict, JobResult& result) {
  const OutcomeKind kind = outcome_of_plugin_status(verdict.status);
  if (is_done(kind) || !result.any_ok) return;
  result.events_done = result.skipped_first;
  result.end = kind;
  result.app_code = 0;
  result.started = true;
  result.fault = fault_of(verdict);
  result.text = verdict.text;
}

}  // namespace cape::child
