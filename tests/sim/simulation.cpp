#include "tests/sim/simulation.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/log.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t healing_ns = 120 * second;
constexpr std::int64_t refresh_every_ns = 5 * second;
constexpr std::int64_t look_every_ns = 10 * ms;  // whether all is done
constexpr std::uint64_t steps_a_ms_max = 10'000;

}  // namespace

Simulation::Broker::Broker(const Life& life, std::uint32_t epoch, sim::Network& network,
                           std::unique_ptr<sim::SimStore> made,
                           std::unique_ptr<broker::ShadowReads> of_shadows,
                           std::vector<storage::HostLease> recorded, std::int64_t now_ns)
    : config(broker_config(life)),
      store(std::move(made)),
      reads(std::move(of_shadows)),
      scheduler(life.plan, epoch),
      saver(config, *store),
      hosts(life.plan, epoch, network.broker_end(), saver, std::move(recorded), now_ns),
      publisher(life.plan, hosts, network.broker_end()),
      replays({.config = config, .scheduler = scheduler, .store = *store, .reads = *reads, .saver = saver}),
      book(life.plan.domains.size(), 1000) {}

Simulation::Simulation(SimulationOptions options)
    : options_(options),
      all_(plan_of(options)),
      fate_(options.seed, options.trouble_ns),
      source_(options.subjects),
      checkers_(all_, source_, options.poison,
                [this](Promise promise, std::string what) { violate(promise, std::move(what)); }),
      config_(whole_config(all_)),
      network_(
          fate_, [this](wire::FromHost message) { from_host(std::move(message)); },
          [this](sim::PlaceId place) {
            if (sim::Host* host = places_[place].process.get()) host->wake();
          }) {
  const TopologySpec& last = all_.topologies[live_topologies(all_) - 1];
  if (options_.canaries) config_.canaries = {0, last.first_lambda + last.lambda_count - 1};
  log::set_level(log::Level::error);  // what the parts tell people is not looked at here
  is_needed_.resize(all_.lambdas.size());
  for (const LambdaSpec& lambda : all_.lambdas)
    for (LambdaIndex needed : lambda.needs) is_needed_[needed] = true;
  for (SubjectId subject = 0; subject <= source_.subjects(); ++subject)
    names_.push_back(fmt::format("s{}", subject));
}

void Simulation::watch(std::function<void(const Step&)> on_step,
                       std::function<void(const std::string&)> on_note) {
  on_step_ = std::move(on_step);
  on_note_ = std::move(on_note);
}

void Simulation::run() {
  if (options_.baseline) {
    for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
      for (std::int64_t i = chance(0.7) ? some(1, 9) : 0; i > 0; --i)
        source_.add(subject, some(1, 3), false, false);
    for (TopologyIndex topology = 0; topology < all_.topologies.size(); ++topology)  // it may come later
      if (all_.topologies[topology].from_baseline && options_.config_changes && chance(0.5))
        set_known(config_, all_, topology, false);
  }
  start_broker();
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    if (is_quiet(subject) && !source_.events(subject).empty()) ask(subject);
  add_place();
  add_place();
  append();
  at(some(0, second), [this] { disturb_hosts(); });
  if (options_.operators) at(some(0, 100 * ms), [this] { operate(); });
  if (options_.canaries) at(some(0, 100 * ms), [this] { move_canary(); });
  run_until(fate_.trouble_end_ns(), [] { return false; });
  if (!violations_.empty()) return;  // it ended early, and the broker may crash on
  note("the trouble is over");
  heal();
}

void Simulation::heal() {
  const auto acts_done = [this] { return commands_.empty(); };
  // Hosts that are lost now may still cost an event its last attempt.
  if (options_.park_after) run_until(fate_.now_ns() + 3 * second, [] { return false; });
  run_until(fate_.now_ns() + 10 * second, acts_done);
  end_all_acts();
  end_stopped_replays();
  run_until(fate_.now_ns() + 10 * second, acts_done);
  if (!commands_.empty()) violate(Promise::acts, fmt::format("{} acts were never done", commands_.size()));
  walk_source();
  look_everywhere();
  run_until(fate_.now_ns() + healing_ns, [this] { return unfinished().empty(); });
  if (const std::string what = unfinished(); !what.empty()) return violate(Promise::stuck, what);
  drain_in_calm();
  run_until(fate_.now_ns() + healing_ns, [this] { return unfinished().empty(); });
  if (const std::string what = unfinished(); !what.empty()) return violate(Promise::stuck, what);
  is_healed_ = true;
  healed_wall_ns_ = fate_.now().wall_ns;
  run_until(fate_.now_ns() + 2 * second, [] { return false; });
  check_end();
}

// Once is enough, unless the config was changed: the store's own list of those that are behind was made with
// the config of its time, and only the refresh finds the others.
void Simulation::walk_source() {
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    if (!source_.events(subject).empty() && !is_quiet(subject)) ping(subject);
  if (met_.configs > 0)
    at(refresh_every_ns, [this] {
      if (!is_healed_) walk_source();
    });
}

void Simulation::run_until(std::int64_t end_ns, const std::function<bool()>& done) {
  std::int64_t look_ns = 0;
  while (violations_.empty()) {
    if (fate_.now_ns() >= look_ns) {
      if (done()) return;
      look_ns = fate_.now_ns() + look_every_ns;
    }
    if (!fate_.step(end_ns)) return;
  }
}

// ---- the broker

void Simulation::start_broker() {
  broker_.reset();
  ++epoch_;
  broker_life_ = std::make_shared<int>(0);
  network_.restart_broker();
  life_ = make_life(all_, config_);
  checkers_.on_config(config_.known, config_.after, fate_.now_ns());
  std::vector<storage::HostLease> recorded;
  for (const auto& [host, lease] : leases_) recorded.push_back(lease);
  auto store = std::make_unique<sim::SimStore>(
      fate_, epoch_, met_.store, [this](const storage::WriteBatch& batch) { commit(batch); },
      [this] { take_saves(); }, store_reads());
  broker_ = std::make_unique<Broker>(life_, epoch_, network_, std::move(store), make_shadow_reads(),
                                     std::move(recorded), fate_.now_ns());
  note(
      fmt::format("the broker starts its epoch {} with {} topologies", epoch_, life_.plan.topologies.size()));
  tick_ns_ = 0;
  outputs_dropped_ = 0;
  generation_ = 1;  // of what the inbox has
  acks_.clear();
  seen_.clear();
  ping_inbox();
  start_coverage();
  open_replays();
  for (auto& [subject, stored] : store_) stored.is_known = false;
  went_back_.clear();
  commands_.clear();  // of the life before: whoever asked sees that the broker is gone
  broker_at(some(0, 50 * ms), [this] { ping_behind(); });
  std::vector<Input> told = start_baselines();
  for (LambdaIndex lambda : config_.canaries)
    if (const auto split = split_of(lambda)) told.emplace_back(*split);
  for (TopologyIndex topology : paused_whole_)
    if (config_.known[topology])
      told.push_back(PauseTopology{.topology = life_.topology_here[topology], .paused = true, .reason = {}});
  step(std::move(told));
}

void Simulation::crash_broker() {
  ++met_.crashes;
  if (options_.config_changes && chance(0.5)) {
    change_config(config_, all_, fate_.random());
    ++met_.configs;
  }
  start_broker();
}

// A turn of the dispatcher. What could not be sent comes back in the next one.
void Simulation::step(std::vector<Input> inputs) {
  broker_->hosts.step(fate_.now_ns(), inputs);
  const Now now = fate_.now();
  broker_->replays.step(now, inputs);
  const Actions actions = broker_->scheduler.step(now, inputs);
  ++met_.steps;
  check_spin();
  const std::uint64_t dropped = broker_->scheduler.counters().outputs_dropped;
  met_.outputs_dropped += dropped - std::exchange(outputs_dropped_, dropped);
  if (on_step_) on_step_({epoch_, life_.plan, now, inputs, actions});
  check_bounds();
  for (const Action& action : actions) {
    if (in_trouble() && chance(0.0003)) return crash_broker();  // what is left of the actions is lost
    std::visit([this](const auto& a) { perform(a); }, action);
  }
  flush();
  schedule_tick();
}

void Simulation::flush() {
  std::vector<Input> not_sent;
  broker_->publisher.flush(not_sent);
  broker_->saver.flush(fate_.now_ns());
  if (!not_sent.empty()) broker_at(0, [this, not_sent] { step(not_sent); });
}

void Simulation::check_spin() {
  if (fate_.now_ns() - window_ns_ >= ms) {
    window_ns_ = fate_.now_ns();
    steps_in_window_ = 0;
  }
  if (++steps_in_window_ > steps_a_ms_max)
    violate(Promise::spin, "steps without end while time hardly passes");
}

void Simulation::schedule_tick() {
  std::optional<std::int64_t> next = broker_->scheduler.next_deadline();
  for (const auto& at :
       {broker_->hosts.next_deadline(), broker_->saver.next_deadline(), broker_->replays.next_deadline()})
    if (at) next = std::min(next.value_or(*at), *at);
  if (!next || (tick_ns_ != 0 && tick_ns_ <= *next && tick_ns_ > fate_.now_ns())) return;
  tick_ns_ = std::max(*next, fate_.now_ns() + 1);
  broker_at(tick_ns_ - fate_.now_ns(), [this, due = tick_ns_] {
    if (due == tick_ns_) step({Tick{}});
  });
}

void Simulation::perform(const WalkBehind&) {
  ++met_.walks;
  broker_at(some(0, 5 * ms), [this] { ping_behind(); });
}

void Simulation::perform(const Notice& notice) {
  if (notice.kind == Notice::Kind::circuit_opened) ++met_.circuits_opened;
  if (notice.kind == Notice::Kind::late) ++met_.late_told;
  if (notice.kind == Notice::Kind::host_lost) {
    ++met_.hosts_lost;
    broker_->hosts.on_lost(notice.host);
  }
  const bool stops = notice.kind == Notice::Kind::parked || notice.kind == Notice::Kind::unreadable ||
                     notice.kind == Notice::Kind::source_went_back;
  if (!stops) return;
  const auto subject = static_cast<SubjectId>(std::stoul(notice.subject.substr(1)));
  const TopologyIndex topology = life_.topology_of[notice.topology];
  bool has_cause = false;
  if (notice.kind == Notice::Kind::parked) {
    ++met_.parked;
    has_cause = checkers_.is_poison(topology, subject, notice.sequence) ||
                checkers_.had_its_attempts(topology, subject, notice.sequence);
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
                            (fate_.now_ns() - fate_.trouble_end_ns() + options_.trouble_ns) / ms, epoch_)});
  note(fmt::format("broken: {}: {}", name_of(promise), violations_.back().what));
}

void Simulation::note(const std::string& what) {
  if (on_note_) on_note_(fmt::format("@{} {}", fate_.now_ns(), what));
}

void Simulation::check_bounds() {
  const Counters counters = broker_->scheduler.counters();
  if (counters.waiting_bytes > life_.plan.lambdas.size() * all_.waiting_bytes_max)
    violate(Promise::bounds, "too many bytes wait");
  // A subject whose outputs are the only ones may have all that one may have.
  std::uint64_t outputs_max = all_.outputs_bytes_max;
  for (const TopologySpec& topology : life_.plan.topologies) outputs_max += topology.outputs_bytes_max + 1000;
  if (counters.outputs_bytes > outputs_max)
    violate(Promise::bounds, fmt::format("{} bytes of outputs are kept", counters.outputs_bytes));
  if (counters.timers > life_.plan.lambdas.size() * all_.timers_max)
    violate(Promise::bounds, "too many timers");
  if (options_.jobs_in_all > 0 && counters.jobs_in_flight > counters.hosts * options_.jobs_in_all)
    violate(Promise::bounds, "more jobs are out than the hosts take in all");
}

// Everything that no event holds up has succeeded, and of the rest it is told that it is stopped. The first
// that is not so; empty: all is done.
std::string Simulation::unfinished() {
  for (const auto& [subject, asking] : asking_)
    if (asking.out) return fmt::format("a ping of subject {} is not acknowledged", subject);
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (TopologyIndex topology : life_.live()) {
      const std::size_t stop = checkers_.stop_of(topology, subject);
      const bool stops = stop < source_.events(subject).size();
      const TopologyView view = view_of(topology, subject);
      // One that came further while its config let it has nothing to wait for.
      const bool is_told = !stops || view.stopped || view.state == SubjectState::done;
      if (checkers_.is_through(topology, subject) && is_told) continue;
      const auto whys = broker_->scheduler.why(subject, 0, stored(subject));
      const Why& why = *std::ranges::find(whys, life_.topology_here[topology], &Why::topology);
      return fmt::format(
          "subject {} in {}: {} {}: {} of lambda {} {}", subject, all_.topologies[topology].name,
          is_told ? "not everything was processed, of events below place" : "not told to be stopped at place",
          stop, name_of(why.cause), why.lambda, why.detail);
    }
  const std::string late = late_unfinished();
  return late.empty() ? replay_unfinished() : late;
}

// A while after all was done: it is in the store, and nothing of it is left anywhere else.
void Simulation::check_end() {
  if (const std::string topology = coverage_->unproven_at(healed_wall_ns_); !topology.empty())
    violate(Promise::stuck, fmt::format("all is done, and {} is not proven to be", topology));
  if (!inbox_.empty())
    violate(Promise::bounds, fmt::format("left in the end: {} acknowledged pings", inbox_.size()));
  const Counters counters = broker_->scheduler.counters();
  if (counters.jobs_in_flight + counters.waiting_bytes + counters.timers + counters.subjects_in_memory > 0)
    violate(Promise::bounds,
            fmt::format("left in the end: {} jobs, {} bytes, {} timers, {} subjects", counters.jobs_in_flight,
                        counters.waiting_bytes, counters.timers, counters.subjects_in_memory));
  if (counters.outputs_bytes > 0)
    violate(Promise::bounds, fmt::format("left in the end: {} bytes of outputs", counters.outputs_bytes));
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (TopologyIndex topology : life_.live()) {
      const TopologySpec& spec = all_.topologies[topology];
      for (std::uint32_t i = 0; i < spec.lambda_count; ++i) {
        const Sequence done_to = checkers_.done_to(spec.first_lambda + i, subject);
        if (done_to > 0 && view_of(topology, subject).cursor < checkers_.start_of(topology, subject) - 1)
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

Met Simulation::met() const {
  Met met = met_;
  met.overtaken = checkers_.overtaken();
  if (coverage_) met.claims += coverage_->claims();
  met.network = network_.met();
  return met;
}

}  // namespace cape::scheduler
