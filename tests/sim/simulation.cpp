#include "tests/sim/simulation.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cape::scheduler {
namespace {

constexpr std::int64_t healing_ns = 120 * second;
constexpr std::int64_t refresh_every_ns = 5 * second;
constexpr std::int64_t look_every_ns = 10 * ms;  // whether all is done
constexpr std::uint64_t steps_a_ms_max = 10'000;

}  // namespace

Simulation::Simulation(SimulationOptions options)
    : options_(options),
      all_(plan_of(options)),
      random_(options.seed),
      trouble_end_ns_(now_.boot_ns + options.trouble_ns),
      source_(options.subjects),
      checkers_(all_, source_, options.poison,
                [this](Promise promise, std::string what) { violate(promise, std::move(what)); }),
      config_(whole_config(all_)) {}

void Simulation::watch(std::function<void(const Step&)> on_step,
                       std::function<void(const std::string&)> on_note) {
  on_step_ = std::move(on_step);
  on_note_ = std::move(on_note);
}

void Simulation::run() {
  start_broker();
  append();
  at(some(0, second), [this] { disturb_hosts(); });
  if (options_.operators) at(some(0, 100 * ms), [this] { operate(); });
  run_until(trouble_end_ns_, [] { return false; });
  note("the trouble is over");
  heal();
}

void Simulation::heal() {
  const auto acts_done = [this] { return commands_.empty(); };
  run_until(now_.boot_ns + 10 * second, acts_done);
  end_all_acts();
  run_until(now_.boot_ns + 10 * second, acts_done);
  if (!commands_.empty()) violate(Promise::acts, fmt::format("{} acts were never done", commands_.size()));
  walk_source();
  run_until(now_.boot_ns + healing_ns, [this] { return unfinished().empty(); });
  if (const std::string what = unfinished(); !what.empty()) return violate(Promise::stuck, what);
  is_healed_ = true;
  run_until(now_.boot_ns + 2 * second, [] { return false; });
  check_end();
}

// Once is enough, unless the config was changed: the store's own list of those that are behind was made with
// the config of its time, and only the refresh finds the others.
void Simulation::walk_source() {
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    if (!source_.events(subject).empty()) ping(subject);
  if (met_.configs > 0)
    at(refresh_every_ns, [this] {
      if (!is_healed_) walk_source();
    });
}

// ---- the event queue

void Simulation::at(std::int64_t delay_ns, std::function<void()> what) {
  queue_.push({now_.boot_ns + delay_ns, ++queued_, std::move(what)});
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
  std::int64_t look_ns = 0;
  while (!queue_.empty() && violations_.empty()) {
    if (now_.boot_ns >= look_ns) {
      if (done()) return;
      look_ns = now_.boot_ns + look_every_ns;
    }
    if (queue_.top().at_ns > end_ns) return go_to(end_ns);
    // Its own order keeps the queue sound: nothing looks at what is moved out before the pop.
    Due due = std::move(const_cast<Due&>(queue_.top()));
    queue_.pop();
    go_to(due.at_ns);
    due.what();
  }
}

void Simulation::go_to(std::int64_t at_ns) {
  const std::int64_t passed = at_ns - now_.boot_ns;
  now_.boot_ns += passed;
  now_.wall_ns += passed;
}

// ---- the broker

// Hosts of the life before are gone or have said hello anew before the first job: the gate in front of us.
void Simulation::start_broker() {
  life_ = make_life(all_, config_);
  checkers_.on_config(config_.known, config_.after);
  scheduler_ = std::make_unique<Scheduler>(life_.plan, ++epoch_);
  note(
      fmt::format("the broker starts its epoch {} with {} topologies", epoch_, life_.plan.topologies.size()));
  tick_ns_ = 0;
  gate_is_open_ = false;
  reading_.clear();
  again_.clear();
  for (auto& [subject, stored] : store_) stored.is_known = false;
  went_back_.clear();
  commands_.clear();  // of the life before: whoever asked sees that the broker is gone
  broker_at(some(0, 50 * ms), [this] { ping_behind(); });
  broker_at(some(0, 100 * ms), [this, life = epoch_] {
    for (auto& [id, host] : hosts_) host.runs = false;
    gate_is_open_ = true;
    // Its step may crash the broker; then the next life brings hosts of its own.
    for (int i = 0; i < 2 && life == epoch_; ++i) add_host();
  });
  std::vector<Input> pauses;
  for (TopologyIndex topology : paused_whole_)
    if (config_.known[topology])
      pauses.push_back(
          PauseTopology{.topology = life_.topology_here[topology], .paused = true, .reason = {}});
  if (!pauses.empty()) step(std::move(pauses));
}

void Simulation::crash_broker() {
  ++met_.crashes;
  if (options_.config_changes && chance(0.5)) {
    change_config(config_, all_, random_);
    ++met_.configs;
  }
  start_broker();
}

void Simulation::step(std::vector<Input> inputs) {
  const Actions actions = scheduler_->step(now_, inputs);
  ++met_.steps;
  check_spin();
  if (on_step_) on_step_({epoch_, life_.plan, now_, inputs, actions});
  check_bounds();
  for (const Action& action : actions) {
    if (in_trouble() && chance(0.0003)) return crash_broker();  // what is left of the actions is lost
    std::visit([this](const auto& a) { perform(a); }, action);
  }
  schedule_tick();
}

void Simulation::check_spin() {
  if (now_.boot_ns - window_ns_ >= ms) {
    window_ns_ = now_.boot_ns;
    steps_in_window_ = 0;
  }
  if (++steps_in_window_ > steps_a_ms_max)
    violate(Promise::spin, "steps without end while time hardly passes");
}

void Simulation::schedule_tick() {
  const auto next = scheduler_->next_deadline();
  if (!next || (tick_ns_ != 0 && tick_ns_ <= *next && tick_ns_ > now_.boot_ns)) return;
  tick_ns_ = std::max(*next, now_.boot_ns + 1);
  broker_at(tick_ns_ - now_.boot_ns, [this, due = tick_ns_] {
    if (due == tick_ns_) step({Tick{}});
  });
}

void Simulation::perform(const WalkBehind&) {
  ++met_.walks;
  broker_at(some(0, 5 * ms), [this] { ping_behind(); });
}

void Simulation::perform(const Notice& notice) {
  if (notice.kind == Notice::Kind::host_lost) ++met_.hosts_lost;
  const bool stops = notice.kind == Notice::Kind::parked || notice.kind == Notice::Kind::unreadable ||
                     notice.kind == Notice::Kind::source_went_back;
  if (!stops) return;
  const auto subject = static_cast<SubjectId>(std::stoul(notice.subject.substr(1)));
  const TopologyIndex topology = life_.topology_of[notice.topology];
  bool has_cause = false;
  if (notice.kind == Notice::Kind::parked) {
    ++met_.parked;
    has_cause = checkers_.is_poison(topology, subject, notice.sequence);
  } else if (notice.kind == Notice::Kind::unreadable) {
    ++met_.unreadable;
    const std::vector<SourceEvent>& events = source_.events(subject);
    std::size_t place = source_.place_of(subject, notice.sequence);
    while (place < events.size() && !events[place].visible) ++place;
    has_cause = place < events.size() && events[place].unreadable;
  } else {
    ++met_.went_back;
    if (!is_rewound(topology, subject)) went_back_.emplace(topology, subject);
    has_cause = lied_about_.contains(subject);
  }
  if (!has_cause) violate(Promise::told, "parked without a cause: " + to_text(Action{notice}));
}

bool Simulation::is_rewound(TopologyIndex topology, SubjectId subject) const {
  return std::ranges::any_of(commands_, [&](const auto& entry) {
    const Command& asked = entry.second;
    return asked.act == Act::rewind && asked.topology == topology && asked.subject == subject;
  });
}

// ---- what is asked of all of it

void Simulation::violate(Promise promise, std::string what) {
  violations_.push_back(
      {promise, fmt::format("{} (after {} ms, in epoch {})", what,
                            (now_.boot_ns - trouble_end_ns_ + options_.trouble_ns) / ms, epoch_)});
  note(fmt::format("broken: {}: {}", name_of(promise), violations_.back().what));
}

void Simulation::note(const std::string& what) {
  if (on_note_) on_note_(fmt::format("@{} {}", now_.boot_ns, what));
}

void Simulation::check_bounds() {
  const Counters counters = scheduler_->counters();
  if (counters.waiting_bytes > life_.plan.lambdas.size() * all_.waiting_bytes_max)
    violate(Promise::bounds, "too many bytes wait");
  if (counters.timers > life_.plan.lambdas.size() * all_.timers_max)
    violate(Promise::bounds, "too many timers");
}

// Everything that no event holds up has succeeded, and of the rest it is told that it is stopped. The first
// that is not so; empty: all is done.
std::string Simulation::unfinished() {
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (TopologyIndex topology : life_.topology_of) {
      const std::size_t stop = checkers_.stop_of(topology, subject);
      const bool stops = stop < source_.events(subject).size();
      const TopologyView view = view_of(topology, subject);
      // One that came further while its config let it has nothing to wait for.
      const bool is_told = !stops || view.stopped || view.state == SubjectState::done;
      if (checkers_.is_through(topology, subject) && is_told) continue;
      return fmt::format(
          "subject {} in {}: {} {}", subject, all_.topologies[topology].name,
          is_told ? "not everything was processed, of events below place" : "not told to be stopped at place",
          stop);
    }
  return {};
}

// A while after all was done: it is in the store, and nothing of it is left anywhere else.
void Simulation::check_end() {
  const Counters counters = scheduler_->counters();
  if (counters.jobs_in_flight + counters.waiting_bytes + counters.timers + counters.subjects_in_memory > 0)
    violate(Promise::bounds,
            fmt::format("left in the end: {} jobs, {} bytes, {} timers, {} subjects", counters.jobs_in_flight,
                        counters.waiting_bytes, counters.timers, counters.subjects_in_memory));
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (TopologyIndex topology : life_.topology_of) {
      const TopologySpec& spec = all_.topologies[topology];
      for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
        const Sequence done_to = checkers_.done_to(spec.first_lambda + i, subject);
        if (done_to > 0 && view_of(topology, subject).cursor < spec.start - 1)
          violate(Promise::cursor, "a cursor lies before the start");
        const storage::CursorInfo* info = stored(subject);
        const storage::TopologyCursor* of_topology = nullptr;
        for (std::size_t t = 0; info && t < info->topologies.size(); ++t)
          if (info->topologies[t].topology == spec.name) of_topology = &info->topologies[t];
        if (done_to > 0 && (!of_topology || of_topology->lambdas[i].cursor < done_to))
          violate(Promise::stuck,
                  fmt::format("subject {}: the cursor of {} was never saved", subject, spec.name));
      }
    }
}

void Met::add(const Met& o) {
  steps += o.steps, events += o.events, crashes += o.crashes, walks += o.walks, hosts_lost += o.hosts_lost;
  hung += o.hung, parked += o.parked, overtaken += o.overtaken, acts_done += o.acts_done,
      configs += o.configs;
  late += o.late, lies += o.lies, went_back += o.went_back, unreadable += o.unreadable;
  saves_failed += o.saves_failed, saves_unanswered += o.saves_unanswered;
}

std::string to_text(const Met& met) {
  return fmt::format(
      "{} steps, {} events run, {} crashes of the broker, {} new configs, {} walks, {} hosts lost, {} events "
      "hung, "
      "{} parked, {} unreadable, {} acts done, {} late events, {} lies of the source, {} parked by them, {} "
      "saves "
      "failed, {} unanswered, {} events overtaken",
      met.steps, met.events, met.crashes, met.configs, met.walks, met.hosts_lost, met.hung, met.parked,
      met.unreadable, met.acts_done, met.late, met.lies, met.went_back, met.saves_failed,
      met.saves_unanswered, met.overtaken);
}

Met Simulation::met() const {
  Met met = met_;
  met.overtaken = checkers_.overtaken();
  return met;
}

}  // namespace cape::scheduler
