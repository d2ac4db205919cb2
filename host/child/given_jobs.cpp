#include "host/child/given_jobs.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cape::child {
namespace {

std::unexpected<Error> not_given(std::string what) {
  return fail(ErrorCode::protocol, std::move(what));
}

}  // namespace

void GivenJobs::add(const wire::RunJob& job, std::uint32_t count, bool singly, std::int64_t now_ns) {
  CAPE_CHECK(count > 0 && count <= job.events.count);
  Given& given = jobs_.emplace_back();
  given.job = job.job;
  given.first_number = next_number_;
  given.count = count;
  given.singly = singly;
  given.wants_outputs = job.outputs_bytes_max > 0;
  given.given_ns = now_ns;
  given.subject = job.subject;
  given.events = job.events;
  next_number_ += count;
  ++unsettled_;
}

Result<void> GivenJobs::take_output(const OutputView& view) {
  const OutputFrame& frame = view.frame;
  auto given =
      std::ranges::find_if(jobs_, [&](const Given& g) { return g.job == frame.job && !g.taken_back; });
  if (given == jobs_.end()) return not_given(fmt::format("output frame: job {} is not out", frame.job));
  if (frame.index >= given->count || frame.index < given->outputs.size())
    return not_given(
        fmt::format("output frame: event index {} of job {} is out of turn", frame.index, frame.job));
  output_bytes_ += view.output.size();
  if (view.output.size() > output_bytes_max_ ||
      output_bytes_ > outputs_soft_bytes_max + call_events_max * output_bytes_max_)
    return not_given(fmt::format("output frame: {} bytes are over the limit", view.output.size()));
  given->outputs.resize(frame.index);  // events that emitted nothing
  given->outputs.emplace_back(view.output);
  return {};
}

Result<void> GivenJobs::check_done(const Given& given, const JobDoneFrame& frame,
                                   std::uint64_t progress) const {
  const auto end = static_cast<OutcomeKind>(frame.end);
  const bool failed = end != OutcomeKind::ok;
  if (frame.job != given.job)
    return not_given(fmt::format("job frame: job {} is out of turn, {} is next", frame.job, given.job));
  if (given.taken_back && (frame.events_done != 0 || frame.started != 0 || end != OutcomeKind::cancelled))
    return not_given(fmt::format("job frame: job {} ran after it was taken back", frame.job));
  if (end == OutcomeKind::skipped || frame.events_done > given.count ||
      failed != (frame.events_done < given.count))
    return not_given(
        fmt::format("job frame: {} of {} events done and {}", frame.events_done, given.count, name_of(end)));
  if (failed && frame.started == 0 && end != OutcomeKind::cancelled)
    return not_given(fmt::format("job frame: {} of an event that did not start", name_of(end)));
  const std::uint64_t needed =
      given.first_number + frame.events_done + (failed && frame.started != 0 ? 1 : 0);
  if (needed > given.first_number && progress < needed)
    return not_given(
        fmt::format("job frame: event {} is done, the progress word stands at {}", needed, progress));
  return {};
}

Result<std::optional<ChildJobDone>> GivenJobs::take_done(const JobDoneView& view, std::uint64_t progress,
                                                         std::int64_t now_ns) {
  const JobDoneFrame& frame = view.frame;
  if (jobs_.empty()) return not_given(fmt::format("job frame: job {} is not out", frame.job));
  Given& given = jobs_.front();
  if (Result<void> good = check_done(given, frame, progress); !good) return std::unexpected(good.error());
  if (given.taken_back) {
    jobs_.pop_front();
    return std::nullopt;
  }
  ChildJobDone done{.status = status_of(given, frame.events_done), .outputs = {}};
  for (const std::string& output : given.outputs) output_bytes_ -= output.size();
  hand_over(given, done);
  const auto kind = static_cast<OutcomeKind>(frame.end);
  if (kind != OutcomeKind::ok) {
    done.status.end = {kind, reason_text(view.text, kind)};
    done.status.app_code = frame.app_code;
    done.fault = static_cast<LambdaFault>(frame.fault);
    done.status.started = frame.started != 0;
  }
  const bool began = frame.events_done > 0 || done.status.started;
  done.status.first_start_ns = began ? std::clamp(frame.first_start_ns, given.given_ns, now_ns) : 0;
  done.status.end_ns = std::clamp(frame.end_ns, std::max(done.status.first_start_ns, given.given_ns), now_ns);
  jobs_.pop_front();
  --unsettled_;
  return done;
}

// The outputs of the events that are done: in the status if the job asked for them, else beside it.
void GivenJobs::hand_over(Given& given, ChildJobDone& done) {
  if (given.outputs.empty()) return;
  given.outputs.resize(done.status.events_done);
  if (given.wants_outputs)
    done.status.outputs = shared(std::move(given.outputs), done.status.events_done);
  else
    done.outputs = std::move(given.outputs);
}

std::vector<OutputPtr> GivenJobs::shared(std::vector<std::string>&& outputs, std::uint32_t events_done) {
  std::vector<OutputPtr> made(outputs.empty() ? 0 : events_done);
  for (std::size_t i = 0; i < std::min(made.size(), outputs.size()); ++i)
    if (!outputs[i].empty()) made[i] = std::make_shared<const std::string>(std::move(outputs[i]));
  return made;
}

// What is known without the child: OK up to there, and what was not given or not reached is CANCELLED.
wire::JobStatus GivenJobs::status_of(const Given& given, std::uint32_t events_done) const {
  wire::JobStatus status;
  status.job = given.job;
  status.events_done = events_done;
  if (events_done > 0) {
    status.done_to = given.events[events_done - 1].sequence;
    status.first_start_ns = status.end_ns = given.given_ns;
  }
  if (events_done == given.events.count) return status;
  status.failed_sequence = given.events[events_done].sequence;
  status.end = {OutcomeKind::cancelled, "had not begun"};
  return status;
}

void GivenJobs::take_back(std::uint64_t progress, std::vector<ChildJobDone>& out) {
  for (Given& given : jobs_) {
    if (given.taken_back || given.first_number < progress) continue;
    out.push_back({.status = status_of(given, 0), .outputs = {}});
    out.back().status.end.reason = "taken back before it began";
    given.taken_back = true;
    given.events.block.reset();
    --unsettled_;
  }
}

const GivenJobs::Given* GivenJobs::find(std::uint64_t number) const {
  for (const Given& given : jobs_)
    if (number >= given.first_number && number < given.end_number())
      return given.taken_back ? nullptr : &given;
  return nullptr;
}

std::optional<GivenJobs::Place> GivenJobs::oldest() const {
  for (const Given& given : jobs_)
    if (!given.taken_back) return Place{given.job, given.events[0].sequence, given.subject, 1};
  return std::nullopt;
}

std::optional<GivenJobs::Place> GivenJobs::running(ChildWords words) const {
  if (words.phase == Phase::flush && words.progress <= words.finished) return oldest();
  if (words.progress <= words.finished || words.progress > next_number_) return std::nullopt;
  const Given* given = find(words.finished);
  if (given == nullptr) return std::nullopt;
  const std::size_t calls = static_cast<std::size_t>(words.progress - words.finished);
  return Place{given->job, given->events[words.finished - given->first_number].sequence, given->subject,
               calls};
}

// The number of the one event that is to blame for a death; nullopt: none ran, or several did.
std::optional<std::uint64_t> GivenJobs::blamed(ChildWords words, bool has_flush) const {
  const std::uint64_t oldest = jobs_.front().first_number;
  const std::uint64_t running = words.progress - words.finished;
  if (running > 1) return std::nullopt;
  const Given* given = find(words.finished);
  if (running == 1 && given == nullptr) return std::nullopt;
  // With flush, the events since the last result share its fate, unless each is flushed by itself.
  if (running == 1)
    return !has_flush || given->singly || words.finished == oldest ? std::optional(words.finished)
                                                                   : std::nullopt;
  const bool one_unflushed = words.phase == Phase::flush && words.finished == oldest + 1;
  return one_unflushed ? std::optional(oldest) : std::nullopt;
}

GivenJobs::Left GivenJobs::settle(ChildWords words, bool has_flush, const Outcome& end) {
  Left result;
  while (!jobs_.empty() && jobs_.front().taken_back) jobs_.pop_front();
  if (jobs_.empty()) return result;
  const std::uint64_t oldest = jobs_.front().first_number;
  // Words that cannot be: some event ran, and the first that is not settled answers for it.
  if (words.finished > words.progress || words.progress > next_number_)
    words = {.progress = oldest + 1, .finished = oldest, .phase = Phase::process};
  words.finished = std::max(words.finished, oldest);
  words.progress = std::max(words.progress, words.finished);
  const std::optional<std::uint64_t> blame = blamed(words, has_flush);
  const bool several = !blame && (words.progress > words.finished || (has_flush && words.progress > oldest));

  for (Given& given : jobs_) {
    if (given.taken_back) continue;
    const std::uint64_t settled = std::clamp(words.finished, given.first_number, given.end_number());
    const bool unflushed = has_flush && !given.singly;
    wire::JobStatus status =
        status_of(given, unflushed ? 0 : static_cast<std::uint32_t>(settled - given.first_number));
    if (status.end.kind == OutcomeKind::ok) {
      ChildJobDone& done = result.done.emplace_back(ChildJobDone{.status = std::move(status), .outputs = {}});
      hand_over(given, done);
      continue;
    }
    // An output is published before its event counts as finished, so those of the events done are here.
    if (given.wants_outputs) status.outputs = shared(std::move(given.outputs), status.events_done);
    if (blame && *blame == given.first_number + status.events_done) {
      status.end = end;
      status.started = true;
      status.first_start_ns = status.end_ns = given.given_ns;
    } else if (several && given.first_number < words.progress) {
      status.end.reason = "one of several events that were in work; they run again one by one";
      ++result.rerun_singly;
    }
    result.left.push_back(std::move(status));
  }
  jobs_.clear();
  unsettled_ = 0;
  return result;
}

}  // namespace cape::child
