#include "broker/replays.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

using scheduler::Input;
using State = storage::Replay::State;

constexpr std::uint32_t scan_page = 1000;
constexpr std::size_t pass_page = 256, end_page = 512;
constexpr std::int64_t page_pause_ns = 5 * ns_per_ms;
constexpr std::int64_t pass_pause_ns = 200 * ns_per_ms;
constexpr std::int64_t pass_rest = 4;  // so many times as long as a pass took passes the time to the next
constexpr std::int64_t end_look_ns = 50 * ns_per_ms;
constexpr std::int64_t page_retry_ns = 200 * ns_per_ms;
constexpr std::int64_t scan_retry_ns = ns_per_s;
constexpr std::int64_t count_after_ns = 5 * ns_per_s;  // events are stored about so often

}  // namespace

ReplayStanding replay_standing(const storage::CursorInfo& info) {
  bool behind = false, failing = false;
  for (const storage::TopologyCursor& topology : info.topologies)
    for (const storage::LambdaCursor& lambda : topology.lambdas) {
      if (lambda.parked || (topology.paused && lambda.cursor < info.latest)) return ReplayStanding::parked;
      behind = behind || lambda.cursor < info.latest;
      failing = failing || lambda.attempts > 0;
    }
  return !behind ? ReplayStanding::done : failing ? ReplayStanding::failing : ReplayStanding::behind;
}

Replays::Run Replays::make_run(storage::Replay replay, TopologyIndex live) const {
  const Config& config = around_.config;
  Run run;
  run.shadow = live + static_cast<TopologyIndex>(live_topologies(config));
  CAPE_CHECK(run.shadow < config.topologies.size() && config.topologies[run.shadow].shadow_of == live);
  run.domain = config.topologies[run.shadow].domain;
  run.source = source_domain(config, run.domain);
  run.events_then = around_.reads.events_done(run.shadow);
  run.events_before = replay.events;
  run.replay = std::move(replay);
  return run;
}

void Replays::open(std::vector<storage::Replay> stored) {
  const Config& config = around_.config;
  for (storage::Replay& replay : stored) {
    last_id_ = std::max(last_id_, replay.id);
    const auto live = std::ranges::find(config.topologies, replay.topology, &TopologyConfig::name);
    if (replay.state == State::ended) {
      ended_.push_back(std::move(replay));
    } else if (live == config.topologies.end()) {
      log::warning("broker", "replay '{}' stands still: topology '{}' is not in the config", replay.name,
                   replay.topology);
      strays_.push_back(std::move(replay));
    } else {
      Run& run = runs_.emplace_back(
          make_run(std::move(replay), static_cast<TopologyIndex>(live - config.topologies.begin())));
      if (run.replay.state != State::ending) around_.reads.run(run.domain, run.replay.to);
    }
  }
}

std::uint64_t Replays::events_of(const Run& run) const {
  return run.events_before + around_.reads.events_done(run.shadow) - run.events_then;
}

void Replays::step(Now now, std::vector<Input>& inputs) {
  for (Run& run : runs_) {
    if (run.cancel && !run.page) {
      storage::Replay next = run.replay;
      next.state = State::ending;
      next.cancelled = true;
      put(run, std::move(next));
      run.page->audit = std::exchange(run.cancel, std::nullopt);
    }
    if (run.page && !run.page_out && now.boot_ns >= run.page_ns) {
      run.page_out = true;
      around_.saver.put_replay(*run.page);
    }
    if (run.is_new) continue;
    if (run.replay.state == State::scanning) scan(run, now.boot_ns);
    if (run.replay.state == State::ending)
      step_end(run, now, inputs);
    else
      step_pass(run, now.boot_ns);
  }
}

// What is put waits in run.page until it is on disk; nothing else of the replay is put meanwhile.
void Replays::put(Run& run, storage::Replay next) {
  CAPE_CHECK(!run.page);
  next.events = events_of(run);
  run.page.emplace(storage::ReplayPage{.replay = std::move(next), .added = {}, .removed = {}});
  run.page_ns = 0;
}

void Replays::scan(Run& run, std::int64_t now_ns) {
  if (run.page || run.cancel || run.call || now_ns < run.scan_ns || !around_.reads.ready(run.source)) return;
  run.call = around_.reads.scan(run.source, run.replay.token, scan_page);
  if (!run.call) run.scan_ns = now_ns + page_pause_ns;  // its ring is full: what is live goes first
}

bool Replays::on_scan(DomainIndex source, const child::ScanAnswer& answer, std::int64_t now_ns) {
  const auto at = std::ranges::find_if(
      runs_, [&](const Run& r) { return r.source == source && r.call && *r.call == answer.call; });
  if (at == runs_.end()) return false;
  Run& run = *at;
  run.call.reset();
  run.trouble.clear();
  if (answer.status != OutcomeKind::ok) {
    run.scan_ns = now_ns + scan_retry_ns;
    run.trouble = fmt::format("the source could not scan: {} {}", name_of(answer.status), answer.reason);
    log::warning("broker", "replay '{}': {}", run.replay.name, run.trouble);
    return true;
  }
  if (run.page || run.replay.state != State::scanning) return true;  // a cancel was quicker
  storage::Replay next = run.replay;
  next.token = answer.token;
  if (!answer.more) next.state = State::running;
  std::vector<storage::CursorWrite> added;
  for (const child::ScannedSubject& seen : answer.subjects)
    if (seen.latest >= next.from) added.push_back(first_record(run, seen.subject, seen.latest));
  next.subjects += added.size();
  put(run, std::move(next));
  run.page->added = std::move(added);
  return true;
}

// As if the shadow had stood right before the range for ever, and its source ended with it.
storage::CursorWrite Replays::first_record(const Run& run, const std::string& subject,
                                           Sequence latest) const {
  const TopologyConfig& shadow = around_.config.topologies[run.shadow];
  storage::TopologyCursor cursor{.topology = shadow.name, .lambdas = {}};
  for (const LambdaConfig& lambda : shadow.lambdas)
    cursor.lambdas.push_back({.lambda = lambda.name, .cursor = run.replay.from - 1});
  return {.id = around_.store.new_subject_id(),
          .domain = around_.config.domains[run.domain].name,
          .subject = subject,
          .behind = false,
          .info = {.latest = std::min(latest, run.replay.to), .topologies = {std::move(cursor)}}};
}

void Replays::on_source_lost(DomainIndex source, std::int64_t now_ns) {
  for (Run& run : runs_) {
    if (run.source != source || !run.call) continue;
    run.call.reset();
    run.scan_ns = now_ns;  // the same page again from its child's successor
  }
}

void Replays::on_saved(std::uint64_t id, bool is_stored, std::int64_t now_ns, std::vector<Input>& inputs) {
  Run* run = with_id(id);
  CAPE_CHECK(run != nullptr && run->page_out);
  run->page_out = false;
  if (std::exchange(run->answers, false) || (run->page->audit && !run->is_new))
    stored_.push_back({id, is_stored});
  if (!is_stored) {
    run->page_ns = now_ns + page_retry_ns;  // the page is kept
    if (run->is_new) abandon(*run, now_ns);
    return;
  }
  const bool begins = std::exchange(run->is_new, false);
  const bool ends = run->replay.state != State::ending && run->page->replay.state == State::ending;
  const bool goes_on = run->replay.state == State::ending && run->page->replay.state == State::running;
  run->replay = std::move(run->page->replay);
  run->page.reset();
  run->stored_ns = now_ns;
  if (begins || goes_on) start(*run, begins ? "begins" : "goes on", inputs);
  if (ends) {
    around_.reads.end(run->domain);
    run->scan_ns = 0;
  }
  if (run->replay.state != State::ended) return;
  log::info("broker", "replay '{}' of topology '{}' {}: {} subjects done, {} not, {} events",
            run->replay.name, run->replay.topology, run->replay.cancelled ? "was cancelled" : "is done",
            run->replay.done, run->replay.parked, run->replay.events);
  ended_.push_back(std::move(run->replay));
  std::ranges::sort(ended_, {}, &storage::Replay::id);
  if (ended_.size() > storage::replays_kept) ended_.erase(ended_.begin());
  runs_.erase(runs_.begin() + (run - runs_.data()));
}

// Its operator hears that it was not stored. It may be on disk all the same: what is there goes.
void Replays::abandon(Run& run, std::int64_t now_ns) {
  run.is_new = false;
  run.replay = std::move(run.page->replay);
  run.replay.state = State::ending;
  run.replay.cancelled = true;
  run.page.reset();
  run.scan_ns = now_ns + page_retry_ns;
}

void Replays::start(Run& run, std::string_view what, std::vector<Input>& inputs) {
  log::info("broker", "replay '{}' of topology '{}' {}: sequences {} to {} of {}", run.replay.name,
            run.replay.topology, what, run.replay.from, run.replay.to,
            run.replay.subject.empty() ? "all subjects" : printable(run.replay.subject, 255));
  around_.reads.run(run.domain, run.replay.to);
  inputs.push_back(scheduler::PauseTopology{.topology = run.shadow, .paused = false, .reason = {}});
}

void Replays::step_pass(Run& run, std::int64_t now_ns) {
  Pass& pass = run.pass;
  if (now_ns < pass.next_ns) return;
  pass.next_ns = now_ns + page_pause_ns;
  if (!around_.reads.has_room(run.domain)) return;
  if (pass.after.empty()) {
    pass = {.began_ns = now_ns, .next_ns = pass.next_ns, .of_all = run.replay.state == State::running};
  }
  auto rows = around_.store.range(around_.config.domains[run.domain].name, pass.after, {}, pass_page);
  if (!rows) {
    run.trouble = rows.error().message;
    pass.next_ns = now_ns + scan_retry_ns;
    return;
  }
  for (const storage::StoredSubject& row : *rows) look_at(run, row, now_ns);
  if (rows->size() == pass_page)
    pass.after = rows->back().subject;
  else
    end_pass(run, now_ns);
}

// One that the scheduler holds it also looks after, and its record is behind what is in memory.
void Replays::look_at(Run& run, const storage::StoredSubject& row, std::int64_t now_ns) {
  ReplayCounts& counts = run.pass.counts;
  const bool held = around_.scheduler.holds(row.id);
  switch (replay_standing(row.info)) {
    case ReplayStanding::done:
      ++(held ? counts.behind : counts.done);
      return;
    case ReplayStanding::parked:
      ++counts.parked;
      return;
    case ReplayStanding::failing:
      ++counts.failing;
      break;
    case ReplayStanding::behind:
      ++counts.behind;
      break;
  }
  if (held) return;
  around_.reads.ping(run.domain, row.subject, now_ns);
}

void Replays::end_pass(Run& run, std::int64_t now_ns) {
  Pass& pass = run.pass;
  run.counts = pass.counts;
  const bool nothing_left = pass.of_all && pass.counts.behind + pass.counts.failing + pass.counts.parked == 0;
  pass.after.clear();
  pass.next_ns = now_ns + std::max(pass_pause_ns, pass_rest * (now_ns - pass.began_ns));
  if (run.page || run.cancel) return;
  storage::Replay next = run.replay;
  if (nothing_left)
    next.state = State::ending;
  else if (now_ns < run.stored_ns + count_after_ns || events_of(run) == run.replay.events)
    return;
  put(run, std::move(next));
}

// Nothing of its records is written any more once the scheduler holds none of its subjects: each leaves
// memory when its last save is done. What an operator rewound or parked at the last moment goes on, unless it
// was cancelled.
void Replays::step_end(Run& run, Now now, std::vector<Input>& inputs) {
  if (run.page || now.boot_ns < run.scan_ns) return;
  if (around_.scheduler.subjects_of(run.domain) > 0) {
    run.scan_ns = now.boot_ns + end_look_ns;
    inputs.push_back(scheduler::EndShadow{run.shadow});
    return;
  }
  auto rows = around_.store.range(around_.config.domains[run.domain].name, {}, {}, end_page);
  if (!rows) {
    run.trouble = rows.error().message;
    run.scan_ns = now.boot_ns + scan_retry_ns;
    return;
  }
  storage::Replay next = run.replay;
  std::vector<SubjectId> removed;
  for (const storage::StoredSubject& row : *rows) {
    const bool is_done = replay_standing(row.info) == ReplayStanding::done;
    if (!is_done && !next.cancelled) {
      next.state = State::running;
      continue;
    }
    ++(is_done ? next.done : next.parked);
    removed.push_back(row.id);
  }
  if (rows->size() < end_page && next.state == State::ending) {
    next.state = State::ended;
    next.ended_wall_ns = now.wall_ns;
  }
  put(run, std::move(next));
  run.page->removed = std::move(removed);
}

std::optional<std::int64_t> Replays::next_deadline() const {
  std::optional<std::int64_t> next;
  const auto sooner = [&](std::int64_t at) { next = next ? std::min(*next, at) : at; };
  for (const Run& run : runs_) {
    if (run.page && !run.page_out) sooner(run.page_ns);
    if (run.cancel && !run.page) sooner(0);
    if (run.is_new) continue;
    if (run.replay.state == State::scanning && !run.page && !run.call && around_.reads.ready(run.source))
      sooner(run.scan_ns);
    if (run.replay.state != State::ending)
      sooner(run.pass.next_ns);
    else if (!run.page)
      sooner(run.scan_ns);
  }
  return next;
}

void Replays::walk() {
  for (Run& run : runs_)
    if (run.pass.after.empty()) run.pass.next_ns = 0;
}

const Replays::Run* Replays::find(TopologyIndex shadow) const {
  const auto at = std::ranges::find_if(runs_, [&](const Run& run) {
    return run.shadow == shadow && !run.is_new && run.replay.state != State::ending;
  });
  return at == runs_.end() ? nullptr : &*at;
}

Replays::Run* Replays::with_id(std::uint64_t id) {
  const auto at = std::ranges::find_if(
      runs_, [&](const Run& run) { return (run.page ? run.page->replay.id : run.replay.id) == id; });
  return at == runs_.end() ? nullptr : &*at;
}

}  // namespace cape::broker
