// tests/broker/scheduler/dag.hpp
// A World with a source, a store and a tracker of its own: what the scheduler asks for it gets, and jobs end
// as the test says. Subjects have events 1..latest, each with a payload of one byte.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "tests/broker/scheduler/world.hpp"

namespace cape::scheduler {

// Lambdas of the one topology and whom they need.
inline SchedulerPlan dag_plan(std::vector<std::pair<std::string, std::vector<LambdaIndex>>> lambdas) {
  SchedulerPlan plan;
  std::vector<std::string> names;
  for (const auto& [name, needs] : lambdas) names.push_back(name);
  add_topology(plan, "dag", names).retry = {.first_ms = 1000, .factor = 1, .max_ms = 1000};
  for (LambdaIndex i = 0; i < lambdas.size(); ++i) plan.lambdas[i].needs = lambdas[i].second;
  return plan;
}

inline OutputPtr output(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

inline std::vector<std::string> texts(const std::vector<OutputPtr>& outputs) {
  std::vector<std::string> texts;
  for (const OutputPtr& one : outputs) texts.push_back(one ? *one : "-");
  return texts;
}

struct Dag : World {
  explicit Dag(SchedulerPlan plan, std::uint32_t epoch = 1)
      : World(plan, epoch), names(), lambda_count(static_cast<LambdaIndex>(plan.lambdas.size())) {
    for (const LambdaSpec& lambda : plan.lambdas) names.push_back(lambda.name);
  }

  std::vector<std::string> names;
  LambdaIndex lambda_count;
  std::map<SubjectId, Sequence> latest;
  std::map<SubjectId, EventBlockPtr> events;  // if not 1..latest
  std::set<SubjectId> in_parts;               // each event of it comes in an answer of its own
  std::map<SubjectId, storage::CursorInfo> store;
  std::set<SubjectId> behind;  // as stored
  std::vector<IssueJob> jobs;  // that are out
  std::vector<CommandDone> acts;
  std::uint64_t commands = 0;

  const storage::CursorInfo* stored(SubjectId subject) const {
    const auto at = store.find(subject);
    return at == store.end() ? nullptr : &at->second;
  }
  EventBlockPtr events_of(SubjectId subject) {
    return events.contains(subject) ? events[subject] : run_of(1, latest[subject]);
  }
  // One step, and all that follows from it but the ends of jobs.
  void go(std::vector<Input> inputs) {
    for (int steps = 0; !inputs.empty(); ++steps) {
      ASSERT_LT(steps, 1000) << "it reads and reads";
      step(std::exchange(inputs, {}));
      for (const Action& action : last) {
        if (const auto* job = std::get_if<IssueJob>(&action)) jobs.push_back(*job);
        if (const auto* done = std::get_if<CommandDone>(&action)) acts.push_back(*done);
        if (const auto* ping = std::get_if<PingAgain>(&action))
          std::ranges::move(answers(ping->subject), std::back_inserter(inputs));
        if (std::holds_alternative<WalkBehind>(action))
          for (SubjectId subject : behind) std::ranges::move(answers(subject), std::back_inserter(inputs));
        if (const auto* save = std::get_if<SaveCursor>(&action)) {
          save->behind ? void(behind.insert(save->subject)) : void(behind.erase(save->subject));
          store[save->subject] = save->info;
          inputs.push_back(CursorSaved{save->subject, save->version});
        }
      }
      for (Input& input : inputs)
        if (auto* request = std::get_if<SchedulingRequest>(&input))
          if (const auto* record = stored(request->subject)) request->stored = *record;
    }
  }
  SchedulingRequest answer(SubjectId subject) {
    SchedulingRequest request = make_request(subject, latest[subject], events_of(subject));
    if (const auto* record = stored(subject)) request.stored = *record;
    return request;
  }
  std::vector<Input> answers(SubjectId subject) {
    const EventBlockPtr all = events_of(subject);
    if (!in_parts.contains(subject) || all->entries.empty()) return {answer(subject)};
    std::vector<EventBlockPtr> blocks;
    for (const EventBlock::Entry& entry : all->entries)
      blocks.push_back(run_of(entry.sequence, entry.sequence));
    return in_answers(subject, blocks);
  }
  // Of one read, whose last answer is yet to come if it is broken.
  std::vector<Input> in_answers(SubjectId subject, const std::vector<EventBlockPtr>& blocks,
                                bool is_broken = false) {
    std::vector<Input> parts;
    for (const EventBlockPtr& block : blocks) {
      SchedulingRequest part = answer(subject);
      part.block = block;
      part.first = block == blocks.front();
      part.last = block == blocks.back() && !is_broken;
      parts.push_back(std::move(part));
    }
    return parts;
  }
  void begin(std::uint32_t jobs_max = 64) {
    host(1, jobs_max, lambda_count);
    std::ranges::copy(all_of<IssueJob>(last), std::back_inserter(jobs));
  }
  void read(SubjectId subject, Sequence to) {
    latest[subject] = to;
    go(answers(subject));
  }
  void wait(std::int64_t ns) {
    advance(ns);
    go({Tick{}});
  }

  const IssueJob* find(const std::string& lambda, SubjectId subject = 7) const {
    for (const IssueJob& job : jobs)
      if (names[job.lambda] == lambda && job.subject == subject) return &job;
    return nullptr;
  }
  IssueJob take(const std::string& lambda, SubjectId subject = 7) {
    const IssueJob* found = find(lambda, subject);
    if (found == nullptr) fmt::print(stderr, "no job of {} is out; trace:\n{}", lambda, trace);
    CAPE_CHECK(found != nullptr);
    IssueJob job = *found;
    std::erase_if(jobs, [&](const IssueJob& other) { return other.job == job.job; });
    return job;
  }
  // It goes well; for event 5 lambda x gives "x5" and as many bytes more.
  IssueJob done(const std::string& lambda, SubjectId subject = 7, std::size_t more_bytes = 0) {
    IssueJob job = take(lambda, subject);
    wire::JobStatus status = all_done(job);
    for (std::uint32_t i = 0; i < job.events.count && job.outputs_bytes_max > 0; ++i)
      status.outputs.push_back(
          output(fmt::format("{}{}", lambda, job.events[i].sequence) + std::string(more_bytes, '.')));
    go({Status{1, status}});
    return job;
  }
  IssueJob fails(const std::string& lambda, Sequence sequence, OutcomeKind kind, SubjectId subject = 7) {
    IssueJob job = take(lambda, subject);
    wire::JobStatus status = failed_at(job, sequence, kind);
    for (std::uint32_t i = 0; i < job.events.count && job.events[i].sequence < sequence; ++i)
      if (job.outputs_bytes_max > 0)
        status.outputs.push_back(output(fmt::format("{}{}", lambda, job.events[i].sequence)));
    status.events_done = static_cast<std::uint32_t>(status.outputs.size());
    go({Status{1, status}});
    return job;
  }
  void ask(Act act, Sequence sequence = 0, SubjectId subject = 7) {
    Command command{.id = ++commands,
                    .act = act,
                    .topology = 0,
                    .subject = subject,
                    .domain = 0,
                    .name = fmt::format("s{}", subject),
                    .stored = {},
                    .sequence = sequence,
                    .reason = "because"};
    if (const auto* record = stored(subject)) command.stored = *record;
    go({command});
  }
  Why why(SubjectId subject = 7) const { return scheduler.why(subject, 0, stored(subject)).at(0); }
  TopologyView view(SubjectId subject = 7) const {
    return scheduler.view(subject, 0, stored(subject)).topologies.at(0);
  }
  Sequence stored_cursor(std::size_t lambda, SubjectId subject = 7) const {
    return store.at(subject).topologies.at(0).lambdas.at(lambda).cursor;
  }
};

}  // namespace cape::scheduler
