#include "tests/broker/scheduler/simulation.hpp"

#include <algorithm>

#include "broker/tracker/vicinity.hpp"

namespace cape::scheduler {
namespace {

constexpr std::uint32_t batch = 3;
constexpr std::int64_t healing_ns = 120 * second;

}  // namespace

SchedulerPlan Simulation::plan_of(const SimulationOptions& options) {
  SchedulerPlan plan;
  add_topology(plan, "audit");
  add_topology(plan, "index", {"a", "b"}).start = 4;
  add_topology(plan, "late").after = {0};
  for (TopologySpec& topology : plan.topologies) {
    topology.batch_events = batch;
    topology.retry = {.first_ms = 20, .factor = 2, .max_ms = 200};
  }
  plan.lease_ns = second;
  plan.kill_ns = 200 * ms;
  plan.waiting_bytes_max = options.waiting_bytes_max;
  plan.timers_max = options.timers_max;
  plan.seed = options.seed;
  return plan;
}

Simulation::Simulation(SimulationOptions options)
    : options_(options),
      plan_(plan_of(options)),
      random_(options.seed),
      trouble_end_ns_(now_.boot_ns + options.trouble_ns) {}

void Simulation::run() {
  start_broker();
  append();
  at(some(0, second), [this] { disturb_hosts(); });
  run_until(trouble_end_ns_, [] { return false; });
  for (const auto& [subject, events] : source_) ping(subject);
  run_until(now_.boot_ns + healing_ns, [this] { return is_all_done(); });
  if (!is_all_done()) violate("not everything was processed in the end");
}

// ---- the event queue

void Simulation::at(std::int64_t delay_ns, std::function<void()> what) {
  queue_.emplace(std::pair{now_.boot_ns + delay_ns, ++queued_}, std::move(what));
}

void Simulation::broker_at(std::int64_t delay_ns, std::function<void()> what) {
  at(delay_ns, [this, life = epoch_, what = std::move(what)] {
    if (life == epoch_) what();
  });
}

std::int64_t Simulation::some(std::int64_t low_ns, std::int64_t high_ns) {
  return low_ns + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high_ns - low_ns + 1));
}

bool Simulation::chance(double probability) {
  return static_cast<double>(random_() % 1'000'000) < probability * 1'000'000;
}

void Simulation::run_until(std::int64_t end_ns, const std::function<bool()>& done) {
  while (!queue_.empty() && violations_.empty() && !done()) {
    const auto next = queue_.begin();
    if (next->first.first > end_ns) break;
    const std::int64_t passed = next->first.first - now_.boot_ns;
    now_.boot_ns += passed;
    now_.wall_ns += passed;
    const auto what = std::move(next->second);
    queue_.erase(next);
    what();
  }
}

// ---- the broker

// Hosts of the life before are gone or have said hello anew before the first job: the gate in front of us.
void Simulation::start_broker() {
  scheduler_ = std::make_unique<Scheduler>(plan_, ++epoch_);
  tick_ns_ = 0;
  reading_.clear();
  again_.clear();
  broker_at(some(0, 50 * ms), [this] { ping_behind(); });
  broker_at(some(0, 100 * ms), [this] {
    for (auto& [id, host] : hosts_) host.runs = false;
    for (int i = 0; i < 2; ++i) add_host();
  });
}

void Simulation::crash_broker() {
  ++crashes_;
  start_broker();
}

void Simulation::step(std::vector<Input> inputs) {
  const Actions actions = scheduler_->step(now_, inputs);
  if (options_.record) steps_.push_back({epoch_, now_, std::move(inputs), to_text(actions)});
  check_bounds();
  for (const Action& action : actions) std::visit([this](const auto& a) { perform(a); }, action);
  schedule_tick();
}

void Simulation::schedule_tick() {
  const auto next = scheduler_->next_deadline();
  if (!next || (tick_ns_ != 0 && tick_ns_ <= *next && tick_ns_ > now_.boot_ns)) return;
  tick_ns_ = std::max(*next, now_.boot_ns + 1);
  broker_at(tick_ns_ - now_.boot_ns, [this, due = tick_ns_] {
    if (due == tick_ns_) step({Tick{}});
  });
}

void Simulation::perform(const SaveCursor& save) {
  const std::int64_t delay = some(ms / 2, 5 * ms);
  if (in_trouble() && chance(0.05))
    return broker_at(delay, [this, save] { step({CursorSaveFailed{save.subject, save.version}}); });
  const auto commit = [this, save] {
    check_commit(save.subject, save.info);
    store_[save.subject] = {save.info, save.behind};
  };
  // A commit may outlive the broker that asked for it, but not reach into the life of the next.
  broker_at(delay, [this, commit, save] {
    commit();
    broker_at(some(0, 2 * ms), [this, save] { step({CursorSaved{save.subject, save.version}}); });
  });
}

void Simulation::perform(const WalkBehind&) {
  ++walks_;
  broker_at(some(0, 5 * ms), [this] { ping_behind(); });
}

void Simulation::perform(const Notice& notice) {
  if (notice.kind == Notice::Kind::host_lost) ++hosts_lost_;
  if (notice.kind == Notice::Kind::parked || notice.kind == Notice::Kind::source_went_back)
    violate("parked: " + to_text(Action{notice}));
}

void Simulation::ping_behind() {
  std::vector<SubjectId> behind;
  for (const auto& [subject, stored] : store_)
    if (stored.behind) behind.push_back(subject);
  for (SubjectId subject : behind) ping(subject);
}

// ---- source and tracker

void Simulation::append() {
  if (!in_trouble()) return;
  const SubjectId subject = 1 + random_() % options_.subjects;
  std::vector<Sequence>& events = source_[subject];
  const auto count = some(1, 8);
  for (std::int64_t i = 0; i < count; ++i)
    events.push_back((events.empty() ? 0 : events.back()) + (chance(0.3) ? some(2, 9) : 1));
  if (chance(0.6)) ping(subject);
  if (chance(0.3)) ping(subject);
  at(some(ms, 20 * ms), [this] { append(); });
}

// One read of a subject at a time; a ping that comes while one runs leads to another one.
void Simulation::ping(SubjectId subject) {
  if (!reading_.insert(subject).second) {
    again_.insert(subject);
    return;
  }
  broker_at(some(0, 3 * ms), [this, subject] { read(subject); });
}

void Simulation::read(SubjectId subject) {
  if (in_trouble() && chance(0.05)) return broker_at(10 * ms, [this, subject] { read(subject); });
  const auto stored = store_.find(subject);
  std::vector<Sequence> cursors;
  for (const TopologyPosition& at :
       scheduler_->positions(subject, 0, stored == store_.end() ? nullptr : &stored->second.info))
    if (at.can_run) cursors.push_back(at.position);
  std::vector<Sequence> starts;
  for (const auto& query : tracker::plan_by_vicinity(cursors, INT64_MAX - 1, batch))
    starts.push_back(query.start);
  broker_at(some(0, 4 * ms), [this, subject, starts] { answer(subject, starts); });
}

void Simulation::answer(SubjectId subject, const std::vector<Sequence>& starts) {
  std::vector<Input> inputs;
  for (Sequence start : starts) inputs.push_back(request_for(subject, start));
  if (starts.empty()) inputs.push_back(request_for(subject, INT64_MAX - 1));
  for (std::size_t i = 0; i + 1 < inputs.size(); ++i) std::get<SchedulingRequest>(inputs[i]).last = false;
  reading_.erase(subject);
  if (again_.erase(subject) > 0) ping(subject);
  step(std::move(inputs));
}

SchedulingRequest Simulation::request_for(SubjectId subject, Sequence start) {
  const std::vector<Sequence>& events = source_[subject];
  const Sequence latest = events.empty() ? 0 : events.back();
  const std::uint32_t most = chance(0.2) ? 1 : batch;  // a source may give less than it was asked for
  std::vector<Sequence> given;
  Sequence proven_to = std::max(latest, start - 1);
  for (Sequence sequence : events) {
    if (sequence < start) continue;
    if (given.size() == most) {
      proven_to = given.back();
      break;
    }
    given.push_back(sequence);
  }
  const auto stored = store_.find(subject);
  return World::make_request(subject, latest, block(start, proven_to, given, 40),
                             stored == store_.end() ? std::nullopt : std::optional(stored->second.info));
}

// ---- checkers

void Simulation::violate(std::string what) {
  violations_.push_back(fmt::format("seed {} at {} ms: {}", options_.seed, now_.boot_ns / ms, what));
}

void Simulation::check_start(const IssueJob& job, Sequence sequence) {
  LaneLog& log = logs_[{job.lambda, job.subject}];
  const std::string who = fmt::format("lambda {} subject {} event {}", job.lambda, job.subject, sequence);
  if (job.job < log.last_job)
    violate(fmt::format("{}: job {} runs after job {} began", who, job.job, log.last_job));
  log.last_job = job.job;
  const TopologyIndex topology = plan_.lambdas[job.lambda].topology;
  for (Sequence earlier : source_[job.subject]) {
    if (earlier >= sequence) break;
    if (earlier < plan_.topologies[topology].start) continue;
    if (!log.succeeded.contains(earlier)) violate(fmt::format("{} starts before {} succeeded", who, earlier));
  }
  if (log.succeeded.contains(sequence) && !job.may_repeat) violate(who + " runs again and was not told so");
  for (TopologyIndex first : plan_.topologies[topology].after)
    if (!logs_[{plan_.topologies[first].first_lambda, job.subject}].succeeded.contains(sequence))
      violate(who + " starts before the topology it comes after");
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

bool Simulation::is_all_done() const {
  for (const auto& [subject, events] : source_)
    for (LambdaIndex lambda = 0; lambda < plan_.lambdas.size(); ++lambda) {
      const auto log = logs_.find({lambda, subject});
      for (Sequence sequence : events) {
        if (sequence < plan_.topologies[plan_.lambdas[lambda].topology].start) continue;
        if (log == logs_.end() || !log->second.succeeded.contains(sequence)) return false;
      }
    }
  return true;
}

}  // namespace cape::scheduler
