#include "tests/sim/simulation.hpp"

#include <algorithm>

#include "broker/tracker/vicinity.hpp"

namespace cape::scheduler {
namespace {

constexpr std::uint32_t batch = 3;  // of the domain: the largest of its topologies
constexpr std::int64_t healing_ns = 120 * second;

}  // namespace

Simulation::Simulation(SimulationOptions options)
    : options_(options),
      plan_(plan_of(options)),
      random_(options.seed),
      trouble_end_ns_(now_.boot_ns + options.trouble_ns) {}

void Simulation::run() {
  start_broker();
  append();
  at(some(0, second), [this] { disturb_hosts(); });
  if (options_.operators) at(some(0, 100 * ms), [this] { operate(); });
  run_until(trouble_end_ns_, [] { return false; });
  if (options_.operators) {
    const auto all_done = [this] { return commands_.empty(); };
    run_until(now_.boot_ns + 10 * second, all_done);
    end_all_acts();
    run_until(now_.boot_ns + 10 * second, all_done);
    if (!commands_.empty()) violate(fmt::format("{} acts were never done", commands_.size()));
  }
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
  commands_.clear();  // of the life before: whoever asked sees that the broker is gone
  if (!paused_whole_.empty()) {
    std::vector<Input> pauses;
    for (TopologyIndex topology : paused_whole_)
      pauses.push_back(PauseTopology{.topology = topology, .paused = true, .reason = {}});
    step(std::move(pauses));
  }
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
    commit_audit(save);
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
  if (notice.kind == Notice::Kind::source_went_back) violate(to_text(Action{notice}));
  if (notice.kind != Notice::Kind::parked) return;
  ++parked_;
  const auto subject = static_cast<SubjectId>(std::stoul(notice.subject.substr(1)));
  if (!is_poison(notice.topology, subject, notice.sequence)) violate("parked: " + to_text(Action{notice}));
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

}  // namespace cape::scheduler
