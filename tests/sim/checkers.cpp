#include "tests/sim/checkers.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cape::sim {

std::string to_text(const EventStart& start) {
  return fmt::format("lambda {} subject {} event {} in job {}", start.lambda, start.subject, start.sequence,
                     start.job);
}

}  // namespace cape::sim

namespace cape::scheduler {
namespace {

bool is_told_late(const storage::TopologyCursor& stored, const std::string& lambda, Sequence sequence) {
  const auto at = std::ranges::find(stored.lambdas, lambda, &storage::LambdaCursor::lambda);
  if (at == stored.lambdas.end()) return false;
  return std::ranges::find(at->late.events, sequence, &storage::LateEvent::sequence) != at->late.events.end();
}

}  // namespace

Checkers::Checkers(const SchedulerPlan& all, const Source& source, bool poison, Violate violate)
    : all_(all),
      source_(source),
      poison_(poison),
      violate_(std::move(violate)),
      known_(all.topologies.size(), true),
      lanes_(all.lambdas.size(), std::vector<Lane>(source.subjects() + 1)),
      lied_about_(source.subjects() + 1) {
  for (const TopologySpec& topology : all.topologies) baseline_done_.push_back(!topology.from_baseline);
}

void Checkers::on_baseline(TopologyIndex topology, SubjectId subject, Sequence latest) {
  if (!baselines_.try_emplace({topology, subject}, latest).second)
    violate_(Promise::cursor, fmt::format("subject {}: the start in {} was fixed twice", subject,
                                          all_.topologies[topology].name));
}

void Checkers::on_replay(TopologyIndex shadow, Sequence from, Sequence to) {
  replays_[shadow] = {from, to};
  const TopologySpec& spec = all_.topologies[shadow];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
    for (Lane& lane : lanes_[spec.first_lambda + i]) {
      for (Seen& seen : lane.seen) seen = {.last_job = seen.last_job, .running = seen.running};
      lane = {.seen = std::move(lane.seen), .last_job = lane.last_job, .running = lane.running};
    }
}

Sequence Checkers::start_of(TopologyIndex topology, SubjectId subject) const {
  if (const auto replay = replays_.find(topology); replay != replays_.end()) return replay->second.from;
  const auto at = baselines_.find({topology, subject});
  return at == baselines_.end() ? all_.topologies[topology].start : at->second + 1;
}

void Checkers::on_config(std::vector<bool> known, std::vector<std::vector<TopologyIndex>> after,
                         std::int64_t now_ns) {
  known_ = std::move(known);
  after_ = std::move(after);
  of_topology_.assign(all_.topologies.size(), {});
  started_ns_ = now_ns;
}

Checkers::Lane& Checkers::lane_of(LambdaIndex lambda, SubjectId subject) {
  Lane& lane = lanes_[lambda][subject];
  if (lane.seen.size() < source_.events(subject).size()) lane.seen.resize(source_.events(subject).size());
  return lane;
}

// Moves the mark up to the first event that has to run and has not. What lowers a mark says so itself.
std::size_t Checkers::reach(LambdaIndex lambda, SubjectId subject, bool Seen::*flag,
                            std::size_t Lane::*mark) {
  const Sequence start = start_of(all_.lambdas[lambda].topology, subject);
  const std::vector<SourceEvent>& events = source_.events(subject);
  Lane& lane = lane_of(lambda, subject);
  std::size_t& at = lane.*mark;
  while (at < events.size() && (events[at].sequence < start || !events[at].must_run() || lane.seen[at].*flag))
    ++at;
  return at;
}

void Checkers::on_start(const EventStart& start, std::int64_t now_ns) {
  Lane& lane = lane_of(start.lambda, start.subject);
  const TopologySpec& spec = spec_of(start.lambda);
  const std::size_t place = source_.place_of(start.subject, start.sequence);
  const TopologyIndex topology = all_.lambdas[start.lambda].topology;
  if (start.sequence < start_of(topology, start.subject))
    violate_(Promise::order, to_text(start) + " lies before the start");
  if (spec.shadow && start.sequence > replays_[topology].to)
    violate_(Promise::order, to_text(start) + " lies behind what is to be run again");
  if (!baseline_done_[topology])
    violate_(Promise::order, to_text(start) + " runs before it is known where to begin");
  check_fence(lane, start, place);
  check_alone(lane, start, place);
  check_limits(start, lane.seen[place], now_ns);
  if (lane.seen[place].ran && !start.may_repeat && !lied_about_[start.subject])
    violate_(Promise::told, to_text(start) + " runs again and was not told so");
  if (spec.mode == Mode::strict) {
    const std::size_t done = succeeded(start.lambda, start.subject);
    if (done < place)
      violate_(Promise::order, fmt::format("{} starts before {} succeeded", to_text(start),
                                           source_.events(start.subject)[done].sequence));
  }
  if (start.of_this_life) check_after(start, place);
  check_inputs(start, place);
}

std::string output_of(LambdaIndex lambda, SubjectId subject, Sequence sequence) {
  if (sequence % 5 == 0) return {};
  return fmt::format("{}/{}/{}", lambda, subject, sequence) +
         std::string(static_cast<std::size_t>(sequence % 7) * 20, '.');
}

// One for each lambda that it needs, which was through with the event, and gave just this.
void Checkers::check_inputs(const EventStart& start, std::size_t place) {
  const std::vector<LambdaIndex>& needs = all_.lambdas[start.lambda].needs;
  if (start.inputs.size() != needs.size())
    return violate_(Promise::data,
                    fmt::format("{} starts with {} inputs", to_text(start), start.inputs.size()));
  for (std::size_t i = 0; i < needs.size(); ++i) {
    const Seen& seen = lane_of(needs[i], start.subject).seen[place];
    const auto& [lambda, output] = start.inputs[i];
    const std::string text = output ? *output : "";
    if (!seen.passed)
      violate_(Promise::data, fmt::format("{} starts before {} is through with it", to_text(start),
                                          all_.lambdas[needs[i]].name));
    const bool is_right = (seen.gave && text == output_of(needs[i], start.subject, start.sequence)) ||
                          (seen.gave_nothing && text.empty());
    if (lambda != all_.lambdas[needs[i]].name || !is_right)
      violate_(Promise::data, fmt::format("{} starts with '{}' of {}", to_text(start), text, lambda));
  }
}

// Nothing of a lane runs once a later job of it began; in a pipelined one no event does.
void Checkers::check_fence(Lane& lane, const EventStart& start, std::size_t place) {
  const bool strict = spec_of(start.lambda).mode != Mode::pipelined;
  JobId& last = strict ? lane.last_job : lane.seen[place].last_job;
  if (start.job < last)
    violate_(Promise::fence, fmt::format("{} runs after job {} began", to_text(start), last));
  last = start.job;
  if (!strict && start.sequence < lane.highest && !lane.seen[place].succeeded) ++overtaken_;
  lane.highest = std::max(lane.highest, start.sequence);
}

bool Checkers::has_passed(TopologyIndex topology, SubjectId subject, std::size_t place) {
  const TopologySpec& spec = all_.topologies[topology];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
    if (reach(spec.first_lambda + i, subject, &Seen::passed, &Lane::passed) > place) continue;
    // Its marks stand at what it passed over: of what lies above, an answer may have said that it is not
    // there.
    const bool may_pass_over = spec.mode == Mode::latest;
    const bool is_behind = lane_of(spec.first_lambda + i, subject).top <= place;
    if (!may_pass_over || (is_behind && source_.events(subject)[place].must_run())) return false;
  }
  return true;
}

bool Checkers::is_through_with(TopologyIndex topology, SubjectId subject, std::size_t place) {
  const SourceEvent& event = source_.events(subject)[place];
  if (!event.must_run() || event.sequence < start_of(topology, subject)) return true;
  const TopologySpec& spec = all_.topologies[topology];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
    const Lane& lane = lane_of(spec.first_lambda + i, subject);
    const bool passed_over = spec.mode == Mode::latest && lane.top > place;
    if (!lane.seen[place].passed && !passed_over) return false;
  }
  return true;
}

void Checkers::check_after(const EventStart& start, std::size_t place) {
  for (TopologyIndex earlier : after_[all_.lambdas[start.lambda].topology]) {
    if (!known_[earlier] || has_passed(earlier, start.subject, place)) continue;
    violate_(Promise::after, fmt::format("{} starts before {} is through with it", to_text(start),
                                         all_.topologies[earlier].name));
  }
}

// Of a lane of a strict topology one event runs at a time, wherever; of a pipelined one no event twice at
// once. One that failed is told to the broker: it comes back in another job.
void Checkers::check_alone(Lane& lane, const EventStart& start, std::size_t place) {
  const bool pipelined = spec_of(start.lambda).mode == Mode::pipelined;
  std::uint32_t& running = pipelined ? lane.seen[place].running : lane.running;
  if (running > 0) violate_(Promise::fence, to_text(start) + " starts while it or another one still runs");
  if (lane.seen[place].failed_in == start.job)
    violate_(Promise::told, to_text(start) + " failed in this job, and runs in it again");
  ++running;
  ++lane.seen[place].starts;
}

// What a topology's config allows: jobs at once, events a second, attempts.
void Checkers::check_limits(const EventStart& start, Seen& seen, std::int64_t now_ns) {
  const TopologySpec& spec = spec_of(start.lambda);
  if (spec.retry.park_after > 0 && start.is_first && start.attempt >= spec.retry.park_after)
    violate_(Promise::bounds, fmt::format("{} runs again after {} attempts", to_text(start), start.attempt));
  if (!start.of_this_life) return;
  OfTopology& of = of_topology_[all_.lambdas[start.lambda].topology];
  if (++of.jobs_running > spec.jobs_max && spec.jobs_max > 0)
    violate_(Promise::bounds, fmt::format("{} is one job too many of {}", to_text(start), spec.name));
  if (std::exchange(seen.counted_in, start.job) == start.job) return;  // the host ran it again
  const std::int64_t catch_up_ns = 100 * ns_per_ms;
  const auto allowed =
      static_cast<std::uint64_t>(now_ns - started_ns_ + catch_up_ns) * spec.events_per_s / ns_per_s;
  if (++of.events_begun > allowed + spec.batch_events && spec.events_per_s > 0)
    violate_(Promise::bounds,
             fmt::format("{} is too early for {} events a second", to_text(start), spec.events_per_s));
}

bool Checkers::had_its_attempts(TopologyIndex topology, SubjectId subject, Sequence sequence) const {
  const TopologySpec& spec = all_.topologies[topology];
  if (spec.retry.park_after == 0) return false;
  const std::size_t place = source_.place_of(subject, sequence);
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
    const std::vector<Seen>& seen = lanes_[spec.first_lambda + i][subject].seen;
    if (place < seen.size() && seen[place].starts >= spec.retry.park_after) return true;
  }
  return false;
}

void Checkers::on_end(const EventStart& start, OutcomeKind end, bool is_known) {
  Lane& lane = lane_of(start.lambda, start.subject);
  const std::size_t place = source_.place_of(start.subject, start.sequence);
  Seen& seen = lane.seen[place];
  if (start.of_this_life) --of_topology_[all_.lambdas[start.lambda].topology].jobs_running;
  --(spec_of(start.lambda).mode == Mode::pipelined ? seen.running : lane.running);
  seen.gave |= end == OutcomeKind::ok;
  seen.gave_nothing |= end == OutcomeKind::skipped;
  if (is_done(end)) {
    seen.succeeded = seen.ran = seen.passed = true;
    lane.top = std::max(lane.top, place + 1);
  } else if (is_known) {
    seen.failed_in = start.job;
  }
}

// It may have to run after all, though marks went over it while it could not be seen.
void Checkers::on_shown(SubjectId subject, std::size_t place) {
  if (!source_.events(subject)[place].must_run()) return;
  for (std::vector<Lane>& of_lambda : lanes_) {
    of_lambda[subject].succeeded = std::min(of_lambda[subject].succeeded, place);
    of_lambda[subject].passed = std::min(of_lambda[subject].passed, place);
  }
}

void Checkers::on_skip(TopologyIndex topology, SubjectId subject, Sequence sequence,
                       const storage::TopologyCursor* before, const storage::TopologyCursor& to,
                       bool is_rewound) {
  const std::size_t place = source_.place_of(subject, sequence);
  if (place == source_.events(subject).size() || source_.events(subject)[place].sequence != sequence) return;
  const TopologySpec& spec = all_.topologies[topology];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
    const std::string& name = all_.lambdas[spec.first_lambda + i].name;
    const auto at = std::ranges::find(to.lambdas, name, &storage::LambdaCursor::lambda);
    const bool was_late = before != nullptr && is_told_late(*before, name, sequence);
    if (at == to.lambdas.end() || (at->cursor < sequence && !is_rewound && !was_late)) continue;
    Seen& seen = lane_of(spec.first_lambda + i, subject).seen[place];
    seen.succeeded = seen.passed = seen.gave_nothing = true;
    Lane& lane = lanes_[spec.first_lambda + i][subject];
    lane.top = std::max(lane.top, place + 1);
  }
}

void Checkers::on_rewind(TopologyIndex topology, SubjectId subject, const storage::TopologyCursor& to) {
  const TopologySpec& spec = all_.topologies[topology];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
    Lane& lane = lane_of(spec.first_lambda + i, subject);
    const auto at = std::ranges::find(to.lambdas, all_.lambdas[spec.first_lambda + i].name,
                                      &storage::LambdaCursor::lambda);
    if (at == to.lambdas.end()) return violate_(Promise::cursor, "a lambda's record was lost");
    const std::size_t first = source_.place_of(subject, at->cursor + 1);
    for (std::size_t place = first; place < lane.seen.size(); ++place) lane.seen[place].succeeded = false;
    lane.succeeded = std::min(lane.succeeded, first);
  }
}

const TopologySpec* Checkers::named(const std::string& topology) const {
  const auto at = std::ranges::find(all_.topologies, topology, &TopologySpec::name);
  return at == all_.topologies.end() ? nullptr : &*at;
}

void Checkers::on_commit(SubjectId subject, const storage::CursorInfo* before,
                         const storage::CursorInfo& after) {
  for (const storage::TopologyCursor& topology : after.topologies) {
    const TopologySpec* spec = named(topology.topology);
    if (spec == nullptr) return violate_(Promise::cursor, "a topology that nobody knows was stored");
    const auto old =
        before ? std::ranges::find(before->topologies, topology.topology, &storage::TopologyCursor::topology)
               : decltype(before->topologies.begin()){};
    const bool is_new = !before || old == before->topologies.end();
    for (std::size_t i = 0; i < topology.lambdas.size(); ++i)
      check_cursor(static_cast<TopologyIndex>(spec - all_.topologies.data()), subject, topology.lambdas[i],
                   is_new ? nullptr : &old->lambdas[i]);
  }
  if (before && after.topologies.size() < before->topologies.size())
    violate_(Promise::cursor, fmt::format("subject {}: the record of a topology was lost", subject));
}

void Checkers::check_cursor(TopologyIndex topology, SubjectId subject, const storage::LambdaCursor& at,
                            const storage::LambdaCursor* before) {
  const TopologySpec& spec = all_.topologies[topology];
  LambdaIndex lambda = spec.first_lambda;
  while (all_.lambdas[lambda].name != at.lambda) ++lambda;
  const std::vector<SourceEvent>& events = source_.events(subject);
  if (spec.mode == Mode::latest) note_passed_over(topology, lambda, subject, at);
  const std::size_t done = succeeded(lambda, subject);
  if (done < events.size() && events[done].sequence <= at.cursor)
    violate_(Promise::cursor, fmt::format("subject {}: cursor {} of {} stands past {}", subject, at.cursor,
                                          spec.name, events[done].sequence));
  if (before && before->cursor > at.cursor)
    violate_(Promise::cursor, fmt::format("subject {}: the cursor of {} fell from {} to {}", subject,
                                          spec.name, before->cursor, at.cursor));
}

// Mode latest: what the record says was passed over need not run, if something newer did.
void Checkers::note_passed_over(TopologyIndex topology, LambdaIndex lambda, SubjectId subject,
                                const storage::LambdaCursor& at) {
  const std::vector<SourceEvent>& events = source_.events(subject);
  Lane& lane = lane_of(lambda, subject);
  // Also those that cannot be seen yet: they turn up below what was passed over.
  for (const storage::SequenceRange& range : at.passed)
    for (std::size_t place = source_.place_of(subject, range.first);
         place < events.size() && events[place].sequence <= std::min(range.last, at.cursor); ++place)
      lane.seen[place].succeeded = true;
  std::size_t newest =
      source_.place_of(subject, at.cursor + 1);  // that has to run, of those up to the cursor
  const auto has_to_run = [&](const SourceEvent& event) {
    return event.must_run() && event.sequence >= start_of(topology, subject);
  };
  while (newest > 0 && !has_to_run(events[newest - 1])) --newest;
  newest = newest == 0 ? events.size() : newest - 1;
  if (newest < events.size() && lane.top <= newest && !events[newest].late)
    violate_(Promise::cursor, fmt::format("subject {}: {} passed over its newest event {}", subject,
                                          all_.topologies[topology].name, events[newest].sequence));
}

// Every thirteenth event of some subjects, unless it was late: then nobody may have to run it, in the
// topology that is called audit.
bool Checkers::is_poison(TopologyIndex topology, SubjectId subject, Sequence sequence) const {
  if (!poison_ || subject % 3 != 0 || sequence % 13 != 0) return false;
  return all_.topologies[topology].name == "audit" &&
         !source_.events(subject)[source_.place_of(subject, sequence)].late;
}

std::size_t Checkers::stop_of(TopologyIndex topology, SubjectId subject) {
  const std::vector<SourceEvent>& events = source_.events(subject);
  std::size_t stop = events.size();
  for (TopologyIndex earlier : after_[topology])
    if (known_[earlier]) stop = std::min(stop, stop_of(earlier, subject));
  const TopologySpec& spec = all_.topologies[topology];
  std::size_t done = events.size();
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
    done = std::min(done, succeeded(spec.first_lambda + i, subject));
  if (done == events.size()) return stop;
  const bool stops = events[done].unreadable || is_poison(topology, subject, events[done].sequence);
  return stops ? std::min(stop, done) : stop;
}

std::size_t Checkers::backlog(SubjectId subject) {
  const std::size_t events = source_.events(subject).size();
  std::size_t done = events;
  for (LambdaIndex lambda = 0; lambda < all_.lambdas.size(); ++lambda)
    if (known_[all_.lambdas[lambda].topology] && !spec_of(lambda).shadow)
      done = std::min(done, succeeded(lambda, subject));
  return events - done;
}

bool Checkers::is_through(TopologyIndex topology, SubjectId subject) {
  const std::size_t stop = stop_of(topology, subject);
  const TopologySpec& spec = all_.topologies[topology];
  for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
    if (succeeded(spec.first_lambda + i, subject) < stop) return false;
  return true;
}

Sequence Checkers::done_to(LambdaIndex lambda, SubjectId subject) {
  const std::vector<SourceEvent>& events = source_.events(subject);
  const std::size_t done =
      std::min(succeeded(lambda, subject), stop_of(all_.lambdas[lambda].topology, subject));
  // Those that need not run, at the end, need no cursor either.
  for (std::size_t i = done; i-- > 0;)
    if (events[i].must_run() && events[i].sequence >= start_of(all_.lambdas[lambda].topology, subject))
      return events[i].sequence;
  return 0;
}

}  // namespace cape::scheduler
