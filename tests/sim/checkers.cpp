// The checkers: they know what lambdas saw, what the store and the source hold, and the plan.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Simulation::violate(std::string what) {
  violations_.push_back(fmt::format("seed {} at {} ms: {}", options_.seed, now_.boot_ns / ms, what));
}

// Fails for ever, so it is parked: every thirteenth event of some subjects, in the topology that is called
// audit.
bool Simulation::is_poison(TopologyIndex topology, SubjectId subject, Sequence sequence) const {
  return options_.poison && plan_.topologies[topology].name == "audit" && subject % 3 == 0 &&
         sequence % 13 == 0;
}

// Where the topology has to stop: at a parked event of its own, or of one that it comes after.
Sequence Simulation::first_stop(TopologyIndex topology, SubjectId subject) const {
  Sequence first = INT64_MAX;
  for (TopologyIndex earlier : plan_.topologies[topology].after)
    first = std::min(first, first_stop(earlier, subject));
  const auto events = source_.find(subject);
  if (events == source_.end()) return first;
  for (Sequence sequence : events->second)
    if (is_poison(topology, subject, sequence) && !skipped_.contains({topology, {subject, sequence}}))
      return std::min(first, sequence);
  return first;
}

bool Simulation::has_succeeded(TopologyIndex topology, SubjectId subject, Sequence sequence) const {
  const TopologySpec& spec = plan_.topologies[topology];
  if (sequence < spec.start) return true;
  for (LambdaIndex lambda = spec.first_lambda; lambda < spec.first_lambda + spec.lambda_count; ++lambda) {
    const auto log = logs_.find({lambda, subject});
    if (log == logs_.end() || !log->second.succeeded.contains(sequence)) return false;
  }
  return true;
}

bool Simulation::has_passed(TopologyIndex topology, SubjectId subject, Sequence sequence) const {
  const TopologySpec& spec = plan_.topologies[topology];
  if (sequence < spec.start || skipped_ever_.contains({topology, {subject, sequence}})) return true;
  for (LambdaIndex lambda = spec.first_lambda; lambda < spec.first_lambda + spec.lambda_count; ++lambda) {
    const auto log = logs_.find({lambda, subject});
    if (log == logs_.end() || !log->second.ever.contains(sequence)) return false;
  }
  return true;
}

void Simulation::check_start(const IssueJob& job, Sequence sequence) {
  LaneLog& log = logs_[{job.lambda, job.subject}];
  const TopologyIndex topology = plan_.lambdas[job.lambda].topology;
  const TopologySpec& spec = plan_.topologies[topology];
  const std::string who = fmt::format("lambda {} subject {} event {}", job.lambda, job.subject, sequence);
  if (sequence < spec.start) violate(who + " lies before the start");
  check_fence(log, job, sequence, who);
  if (log.ever.contains(sequence) && !job.may_repeat) violate(who + " runs again and was not told so");
  if (spec.mode == Mode::strict) check_order(log, job, sequence, who);
  for (TopologyIndex earlier : spec.after)
    for (Sequence passed : source_[job.subject])
      if (passed <= sequence && !has_passed(earlier, job.subject, passed))
        violate(fmt::format("{} starts before {} is through with {}", who, plan_.topologies[earlier].name,
                            passed));
}

// In a strict topology nothing of a lane runs once a later job of it began; in a pipelined one no event does.
void Simulation::check_fence(LaneLog& log, const IssueJob& job, Sequence sequence, const std::string& who) {
  const bool strict = plan_.topologies[plan_.lambdas[job.lambda].topology].mode == Mode::strict;
  JobId& last = strict ? log.last_job : log.last_job_of[sequence];
  if (job.job < last) violate(fmt::format("{}: job {} runs after job {} began", who, job.job, last));
  last = job.job;
  if (!strict && sequence < log.highest && !log.succeeded.contains(sequence)) ++overtaken_;
  log.highest = std::max(log.highest, sequence);
}

void Simulation::check_order(const LaneLog& log, const IssueJob& job, Sequence sequence,
                             const std::string& who) {
  const Sequence start = plan_.topologies[plan_.lambdas[job.lambda].topology].start;
  for (Sequence earlier : source_[job.subject]) {
    if (earlier >= sequence) break;
    if (earlier >= start && !log.succeeded.contains(earlier))
      violate(fmt::format("{} starts before {} succeeded", who, earlier));
  }
}

void Simulation::check_commit(SubjectId subject, const storage::CursorInfo& info) {
  const auto before = store_.find(subject);
  for (std::size_t t = 0; t < info.topologies.size(); ++t)
    for (std::size_t l = 0; l < info.topologies[t].lambdas.size(); ++l) {
      const Sequence cursor = info.topologies[t].lambdas[l].cursor;
      const LaneLog& log = logs_[{plan_.topologies[t].first_lambda + static_cast<LambdaIndex>(l), subject}];
      for (Sequence sequence : source_[subject])
        if (sequence >= plan_.topologies[t].start && sequence <= cursor && !log.succeeded.contains(sequence))
          violate(fmt::format("subject {}: cursor {} of {} stands past {}", subject, cursor,
                              plan_.topologies[t].name, sequence));
      if (before != store_.end() && before->second.info.topologies[t].lambdas[l].cursor > cursor)
        violate(fmt::format("subject {}: the cursor of {} fell to {}", subject, plan_.topologies[t].name,
                            cursor));
    }
  if (before != store_.end() && before->second.info.latest > info.latest) violate("latest fell");
}

void Simulation::check_bounds() {
  const Counters counters = scheduler_->counters();
  if (counters.waiting_bytes > plan_.lambdas.size() * plan_.waiting_bytes_max) violate("too many bytes wait");
  if (counters.timers > plan_.lambdas.size() * plan_.timers_max) violate("too many timers");
}

// Everything that no parked event holds up has succeeded, and of the rest it is told that it is stopped.
bool Simulation::is_all_done() const {
  for (const auto& [subject, events] : source_)
    for (TopologyIndex topology = 0; topology < plan_.topologies.size(); ++topology) {
      const Sequence stop = first_stop(topology, subject);
      for (Sequence sequence : events)
        if (sequence < stop && !has_succeeded(topology, subject, sequence)) return false;
      if (stop != INT64_MAX && !is_stopped(topology, subject)) return false;
    }
  return true;
}

bool Simulation::is_stopped(TopologyIndex topology, SubjectId subject) const {
  const auto stored = store_.find(subject);
  const SubjectView view =
      scheduler_->view(subject, 0, stored == store_.end() ? nullptr : &stored->second.info);
  return view.topologies[topology].stopped;
}

}  // namespace cape::scheduler
