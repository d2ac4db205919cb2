#include "tests/sim/child.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace cape::sim {
namespace {

constexpr std::size_t ring_jobs_max = 2;

}  // namespace

Child::Child(Fate& fate, Outside& outside, Spec spec, std::function<void()> doorbell)
    : fate_(fate), outside_(outside), spec_(std::move(spec)), doorbell_(std::move(doorbell)) {
  if (fate_.trouble(0.01)) return;  // it is never ready
  const bool fails = fate_.trouble(0.04);
  after(fate_.some(ms / 2, 5 * ms), [this, fails] {
    if (fails) return die({OutcomeKind::setup, "init failed"});
    ready_ = true;
    reports_.emplace_back(child::ChildReady{});
    ring(0);
  });
}

void Child::after(std::int64_t delay_ns, Fate::Deed what) {
  fate_.at(delay_ns, life_, std::move(what));
}

void Child::ring(double lost) {
  if (!fate_.trouble(lost)) doorbell_();
}

void Child::poll(std::vector<child::LambdaReport>& out) {
  std::ranges::move(reports_, std::back_inserter(out));
  reports_.clear();
}

bool Child::submit(const wire::RunJob& job, bool singly) {
  if (gone_) return true;  // nobody has noticed yet
  if (owes_answer_ || jobs_.size() >= ring_jobs_max) return false;
  if (job.hash != spec_.hash)
    outside_.violate(scheduler::Promise::fence, "a job was given to a child of other plugin bytes");
  Given given{.job = job, .singly = singly, .status = {.job = job.job}};
  given.cut = job.events.count > 1 && fate_.trouble(0.02);
  given.in_one_call = !singly && given.fitting() > 1 && fate_.trouble(0.1);
  jobs_.push_back(std::move(given));
  after(fate_.some(0, ms / 10), [this] { begin_next(); });
  return true;
}

void Child::begin_next() {
  if (gone_ || !ready_ || running_ || owes_answer_) return;
  if (jobs_.empty()) {
    if (stopping_ && !fate_.trouble(0.02)) die_soon({}, 2 * ms);  // else its destroy hangs
    return;
  }
  const Given& given = jobs_.front();
  running_ = Running{.start = {.lambda = spec_.lambda,
                               .subject = given.job.subject_id,
                               .sequence = given.job.events[given.ran].sequence,
                               .job = given.job.job,
                               .attempt = given.job.attempt,
                               .is_first = given.ran == 0,
                               .may_repeat = given.job.may_repeat},
                     .fate = {},
                     .started_ns = fate_.now_ns()};
  for (const wire::JobInput& input : given.job.inputs)
    running_->start.inputs.emplace_back(input.lambda, input.outputs.at(given.ran));
  had_started_ = true;
  if (given.ran == 0) job_began_ns_ = fate_.now_ns();
  ++event_;
  running_->fate = outside_.on_start(running_->start);
  if (!running_->fate.hangs) after_event(running_->fate.takes_ns, running_->fate.end);
}

void Child::after_event(std::int64_t delay_ns, OutcomeKind end) {
  after(delay_ns, [this, event = event_, end] {
    if (running_ && event == event_) end_event(end);
  });
}

void Child::end_event(OutcomeKind end) {
  if (end == OutcomeKind::signaled) return die({end, "it crashed"});
  const EventStart ended = running_->start;
  const std::int64_t started_ns = running_->started_ns;
  std::string output = end == OutcomeKind::ok ? std::move(running_->fate.output) : "";
  running_.reset();
  outside_.on_end(ended, end, true);
  Given& given = jobs_.front();
  if (given.status.first_start_ns == 0) given.status.first_start_ns = started_ns;
  given.status.end_ns = fate_.now_ns();
  if (!is_done(end)) {
    note_progress(given);
    report_done({end, "it said so"}, true);
  } else {
    ++given.ran;
    give(given, std::move(output));
    if (!given.in_one_call) note_progress(given);
    if (given.ran == given.job.events.count) {
      note_progress(given);
      report_done({}, true);
    } else if (given.ran == given.fitting() || owes_answer_ || (given.is_full() && !given.in_one_call)) {
      note_progress(given);
      report_done({OutcomeKind::cancelled, "had not begun"}, false);
    }
  }
  owes_answer_ = false;
  begin_next();
}

void Child::note_progress(Given& given) {
  if (given.ran == 0) return;
  given.status.events_done = given.ran;
  given.status.done_to = given.job.events[given.ran - 1].sequence;
  if (given.job.outputs_bytes_max > 0) given.status.outputs = given.outputs;
}

void Child::give(Given& given, std::string output) {
  given.output_bytes += output.size();
  given.outputs.push_back(output.empty() ? nullptr : std::make_shared<const std::string>(std::move(output)));
}

void Child::report_done(Outcome end, bool started) {
  Given given = std::move(jobs_.front());
  jobs_.pop_front();
  given.status.end = std::move(end);
  given.status.started = started;
  if (given.ran < given.job.events.count && given.status.end.kind != OutcomeKind::ok)
    given.status.failed_sequence = given.job.events[given.ran].sequence;
  reports_.emplace_back(child::ChildJobDone{.status = std::move(given.status), .outputs = {}});
  ring(0.03);
}

// Those behind the running one at once; the rest of that one when its event has ended.
void Child::take_back() {
  if (gone_) return;
  give_back_from(running_ ? 1 : 0);
  owes_answer_ = running_.has_value();
}

void Child::give_back_from(std::size_t first) {
  while (jobs_.size() > first) {
    Given given = std::move(jobs_[first]);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(first));
    if (!given.in_one_call) note_progress(given);
    given.status.end = {OutcomeKind::cancelled, "had not begun"};
    given.status.failed_sequence = given.job.events[given.ran].sequence;
    reports_.emplace_back(child::ChildJobDone{.status = std::move(given.status), .outputs = {}});
  }
  ring(0);
}

void Child::cancel() {
  if (gone_ || !running_ || std::exchange(running_->cancelled, true)) return;
  if (running_->fate.hangs ? fate_.chance(0.3) : fate_.chance(0.7))
    after_event(fate_.some(0, 20 * ms), OutcomeKind::cancelled);
}

void Child::stop() {
  stopping_ = true;
  after(fate_.some(0, ms / 10), [this] { begin_next(); });
}

void Child::kill(Outcome why) {
  die_soon(std::move(why), 10 * ms);
}

void Child::lose_host() {
  doorbell_ = [] {};
  die_soon({OutcomeKind::external_kill, "its host is gone"}, 20 * ms);
}

// What runs may end well before.
void Child::die_soon(Outcome end, std::int64_t most_ns) {
  if (gone_ || std::exchange(dying_, true)) return;
  after(fate_.some(0, most_ns), [this, end = std::move(end)] { die(end); });
}

void Child::set_lease_end(std::int64_t boot_ns) {
  lease_end_ns_ = boot_ns;
  if (boot_ns == 0 || gone_ || std::exchange(watches_lease_, true)) return;
  watch_lease(boot_ns - fate_.now_ns());
}

void Child::watch_lease(std::int64_t delay_ns) {
  after(std::max<std::int64_t>(delay_ns, 0), [this] {
    watches_lease_ = false;
    if (lease_end_ns_ == 0) return;
    if (lease_end_ns_ > fate_.now_ns()) return set_lease_end(lease_end_ns_);
    dying_ = false;  // its reaper does not ask what else was meant
    die_soon({OutcomeKind::external_kill, "its lease is over"}, spec_.kill_ns / 2);
  });
}

child::LambdaChild::Running Child::look() {
  if (!running_) return seen_ = {};
  const Sequence sequence = running_->start.sequence;
  if (seen_.job != running_->start.job || seen_.sequence != sequence)
    seen_ = {.job = running_->start.job,
             .sequence = sequence,
             .seen_started_ns = fate_.now_ns(),
             .seen_heartbeat_ns = 0};
  if (running_->fate.beats) seen_.seen_heartbeat_ns = fate_.now_ns();
  return seen_;
}

void Child::die(Outcome end) {
  if (gone_) return;
  gone_ = true;
  child::ChildEnded ended{.end = std::move(end), .had_started_an_event = had_started_, .left = {}};
  for (std::size_t i = 0; i < jobs_.size(); ++i) ended.left.push_back(left_of(jobs_[i], i == 0));
  const bool nobody_knows =
      !jobs_.empty() && jobs_.front().in_one_call && (running_ || jobs_.front().ran > 0);
  ended.rerun_singly = nobody_knows ? 1 : 0;
  const OutcomeKind kind = ended.end.kind;
  const bool of_event = kind == OutcomeKind::signaled || kind == OutcomeKind::hung;
  if (running_) outside_.on_end(running_->start, of_event ? kind : OutcomeKind::external_kill, !nobody_knows);
  running_.reset();
  jobs_.clear();
  reports_.emplace_back(std::move(ended));
  ring(0);
}

wire::JobStatus Child::left_of(const Given& given, bool is_first) const {
  wire::JobStatus status = given.status;
  const std::uint32_t known = given.in_one_call ? 0 : given.ran;
  status.failed_sequence = given.job.events[known].sequence;
  status.started = is_first && running_ && !given.in_one_call;
  return status;
}

}  // namespace cape::sim
