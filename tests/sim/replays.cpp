// Replays of the simulation: the real broker/replays, with a scan of the simulated source, reads of shadows
// as the tracker does them, and operators who begin, cancel and act on replays at random. The checkers take a
// shadow for a topology that begins and ends with its replay.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker/tracker/up_to.hpp"
#include "core/config/shadow.hpp"
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

using State = storage::Replay::State;

constexpr std::size_t subjects_per_scan = 3;
constexpr std::size_t queued_max = 4;  // of a shadow's subjects
constexpr std::int64_t stopped_look_ns = 200 * ms;

SubjectId number_of(std::string_view subject) {
  return std::stoul(std::string(subject.substr(1)));
}

}  // namespace

class Simulation::ShadowReads final : public broker::ShadowReads {
 public:
  explicit ShadowReads(Simulation& simulation) : s_(simulation) {}

  bool ready(DomainIndex) const override { return true; }
  std::string trouble(DomainIndex) const override { return {}; }
  std::optional<child::CallId> scan(DomainIndex, const std::string& token, std::uint32_t) override {
    return s_.scan_for_replay(token);
  }
  void run(DomainIndex shadow, Sequence last) override {
    s_.shadows_read_[shadow] = last;
    s_.broker_->book.outdate(shadow);
  }
  void end(DomainIndex shadow) override { s_.shadows_read_.erase(shadow); }
  bool has_room(DomainIndex shadow) const override { return s_.broker_->book.queued(shadow) < queued_max; }
  void ping(DomainIndex shadow, const std::string& subject, std::int64_t) override {
    s_.ping(s_.record_of(shadow, subject));
  }
  std::uint64_t events_done(TopologyIndex shadow) const override {
    const auto at = s_.shadow_events_.find(shadow);
    return at == s_.shadow_events_.end() ? 0 : at->second;
  }

 private:
  Simulation& s_;
};

std::unique_ptr<broker::ShadowReads> Simulation::make_shadow_reads() {
  return std::make_unique<ShadowReads>(*this);
}

void Simulation::open_replays() {
  shadows_read_.clear();
  shadow_events_.clear();
  std::vector<storage::Replay> stored;
  for (const auto& [id, replay] : replays_) stored.push_back(replay);
  broker_->replays.open(std::move(stored));
}

// ---- records

SubjectId Simulation::subject_of(SubjectId record) const {
  return is_shadow(record) ? shadow_records_.at(record).subject : record;
}

DomainIndex Simulation::domain_of(SubjectId record) const {
  if (!is_shadow(record)) return 0;
  return life_.plan.topologies[life_.topology_here[shadow_records_.at(record).shadow]].domain;
}

SubjectId Simulation::record_of(DomainIndex domain, std::string_view subject) const {
  if (domain == 0) return number_of(subject);
  return shadow_record(life_.topology_of[life_.plan.of_domain[domain].front()], number_of(subject));
}

SubjectId Simulation::shadow_record(TopologyIndex shadow, SubjectId subject) const {
  for (const auto& [record, of] : shadow_records_)
    if (!of.is_gone && of.shadow == shadow && of.subject == subject) return record;
  return 0;
}

SubjectId Simulation::record_of(tracker::ReadId read) const {
  return record_of(broker_->book.domain(read), broker_->book.subject(read));
}

sim::SimStore::Reads Simulation::store_reads() {
  return {.new_subject_id = [this] { return last_record_ = std::max(last_record_, source_.subjects()) + 1; },
          .range = [this](std::string_view domain, std::string_view after,
                          std::size_t limit) { return stored_range(domain, after, limit); }};
}

std::vector<storage::StoredSubject> Simulation::stored_range(std::string_view domain, std::string_view after,
                                                             std::size_t limit) const {
  std::vector<storage::StoredSubject> rows;
  for (const auto& [record, of] : shadow_records_) {
    const std::string& subject = subject_name(of.subject);
    if (of.is_gone || all_.topologies[of.shadow].name != domain || subject <= after) continue;
    const Stored& stored = store_.at(record);
    rows.push_back({.id = record,
                    .domain = std::string(domain),
                    .subject = subject,
                    .behind = stored.behind,
                    .info = stored.info});
  }
  std::ranges::sort(rows, {}, &storage::StoredSubject::subject);
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

// ---- the source and the tracker

// Now and then it fails, or its child is lost. The token is the last subject seen, in the order of numbers.
std::optional<child::CallId> Simulation::scan_for_replay(const std::string& token) {
  if (fate_.trouble(0.05)) return std::nullopt;
  child::ScanAnswer answer{.call = ++last_scan_, .token = token};
  if (fate_.trouble(0.1)) {
    answer.status = OutcomeKind::retry;
  } else {
    SubjectId subject = token.empty() ? 0 : number_of(token);
    for (std::size_t i = 0; i < subjects_per_scan && subject < source_.subjects(); ++i) {
      answer.token = subject_name(++subject);
      if (const Sequence latest = source_.latest(subject); latest > 0)
        answer.subjects.push_back({.subject = answer.token, .latest = latest});
    }
    answer.more = subject < source_.subjects();
  }
  const bool is_lost = fate_.trouble(0.03);
  note(fmt::format("scan {} behind '{}' for a replay", answer.call, token));
  const std::int64_t delay = fate_.trouble(0.02) ? some(100 * ms, second) : some(0, 5 * ms);
  broker_at(delay, [this, answer, is_lost] {
    if (is_lost)
      broker_->replays.on_source_lost(0, fate_.now_ns());
    else
      broker_->replays.on_scan(0, answer, fate_.now_ns());
    step({});
  });
  return answer.call;
}

// As the tracker does: answers are about the shadow's record, and as if the source had nothing behind what is
// to be run again. When nothing of the shadow is to be read any more, a scheduler that waits hears of
// nothing.
void Simulation::turn_to_shadow(std::vector<SchedulingRequest>& answers, SubjectId record,
                                DomainIndex domain) {
  const auto last = shadows_read_.find(domain);
  const bool is_over = last == shadows_read_.end();
  if (record == 0 || (is_over && !broker_->scheduler.holds(record))) return answers.clear();
  if (is_over) answers.assign(1, World::make_request(record, 0, nothing()));
  for (SchedulingRequest& answer : answers) {
    answer.subject = record;
    answer.domain = domain;
    answer.name = subject_name(subject_of(record));
    answer.gone = is_over;
    if (is_over) continue;
    if (answer.latest > last->second) answer.unreadable.clear();
    answer.latest = std::min(answer.latest, last->second);
    answer.block = tracker::up_to(std::move(answer.block), last->second);
  }
}

// ---- the store

void Simulation::commit_replay(const storage::ReplayPage& page) {
  const storage::Replay& replay = page.replay;
  const auto shadow = static_cast<TopologyIndex>(
      std::ranges::find(all_.topologies, shadow_name(replay.topology), &TopologySpec::name) -
      all_.topologies.begin());
  if (!replays_.contains(replay.id)) {
    for (const auto& [id, other] : replays_)
      if (other.topology == replay.topology && other.state != State::ended)
        violate(Promise::acts, fmt::format("replays {} and {} are of one topology", id, replay.id));
    ++met_.replays;
    checkers_.on_replay(shadow, replay.from, replay.to);
    for (SubjectId subject = 0; subject <= source_.subjects(); ++subject)
      had_then_[replay.id].push_back(subject == 0 ? 0 : source_.latest(subject));
  }
  for (const storage::CursorWrite& write : page.added) {
    if (store_.contains(write.id)) continue;  // the page is there, from a commit that was not told
    const SubjectId subject = number_of(write.subject);
    if (shadow_record(shadow, subject) != 0)
      violate(Promise::cursor, fmt::format("subject {} has two records in {}", subject, write.domain));
    shadow_records_[write.id] = {.shadow = shadow, .subject = subject};
    checkers_.on_commit(subject, nullptr, write.info);
    store_[write.id] = {.info = write.info, .behind = write.behind};
  }
  static constexpr const char* states[] = {"scanning", "running", "ending", "ended"};
  note(fmt::format("replay {} of {} to {} is stored: {}, {} records more, {} less", replay.name, replay.from,
                   replay.to, states[static_cast<std::size_t>(replay.state)], page.added.size(),
                   page.removed.size()));
  for (SubjectId record : page.removed) remove_record(record, replay);
  replays_[replay.id] = replay;
  if (replay.state == State::ended) check_replay(replay);
}

void Simulation::remove_record(SubjectId record, const storage::Replay& replay) {
  ShadowRecord& of = shadow_records_.at(record);
  if (std::exchange(of.is_gone, true)) return;
  if (broker_->scheduler.holds(record))
    violate(Promise::cursor, fmt::format("subject {}: its record in {} goes while it is in memory",
                                         of.subject, all_.topologies[of.shadow].name));
  if (!replay.cancelled) check_replayed(of, replay);
  store_.erase(record);
  held_.erase({of.shadow, record});
}

// Everything in the range that the source had when the replay began.
void Simulation::check_replayed(const ShadowRecord& of, const storage::Replay& replay) {
  const std::vector<SourceEvent>& events = source_.events(of.subject);
  Sequence& had = had_then_.at(replay.id)[of.subject];
  for (std::size_t place = source_.place_of(of.subject, replay.from);
       place < events.size() && events[place].sequence <= std::min(replay.to, had); ++place)
    if (!checkers_.is_through_with(of.shadow, of.subject, place))
      violate(Promise::stuck, fmt::format("subject {}: event {} was not run by replay {}, which is done",
                                          of.subject, events[place].sequence, replay.name));
  had = 0;
}

void Simulation::check_replay(const storage::Replay& replay) {
  ++(replay.cancelled ? met_.replays_cancelled : met_.replays_done);
  const std::vector<Sequence>& had = had_then_.at(replay.id);
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject) {
    const bool is_asked = replay.subject.empty() || replay.subject == subject_name(subject);
    if (is_asked && !replay.cancelled && had[subject] >= replay.from)
      violate(Promise::stuck,
              fmt::format("replay {} is done, and never came to subject {}", replay.name, subject));
  }
  if (replay.parked > 0 && !replay.cancelled)
    violate(Promise::told, fmt::format("replay {} is done but for {}", replay.name, replay.parked));
  if (!stored_range(shadow_name(replay.topology), "", 1).empty())
    violate(Promise::bounds, fmt::format("replay {} has ended and left records", replay.name));
}

std::string Simulation::replay_unfinished() const {
  for (const auto& [id, replay] : replays_) {
    const auto spec = std::ranges::find(all_.topologies, replay.topology, &TopologySpec::name);
    if (replay.state == State::ended ||
        !config_.known[static_cast<std::size_t>(spec - all_.topologies.begin())])
      continue;
    std::string what = fmt::format("replay {} has not ended:", replay.name);
    for (const auto& [record, of] : shadow_records_) {
      if (of.is_gone || all_.topologies[of.shadow].name != shadow_name(replay.topology)) continue;
      const Why why = broker_->scheduler.why(record, domain_of(record), stored(record)).front();
      what += fmt::format(" subject {}: {} {}{};", of.subject, name_of(why.cause), why.detail,
                          broker_->scheduler.holds(record) ? ", in memory" : "");
    }
    return what;
  }
  return {};
}

// ---- hosts

// A host that got it from a broker before may run it when all is over. Nothing of the replay that follows
// runs beside it.
bool Simulation::runs_on(const sim::EventStart& start, SubjectId record) {
  if (!is_shadow(record)) return false;
  if (shadow_records_.at(record).is_gone) {
    if (start.of_this_life) violate(Promise::fence, to_text(start) + " runs, and its replay is over");
    run_on_.insert({start.lambda, start.subject, start.job});
    return true;
  }
  const auto same = run_on_.lower_bound({start.lambda, start.subject, 0});
  if (same != run_on_.end() && std::get<0>(*same) == start.lambda && std::get<1>(*same) == start.subject)
    violate(Promise::fence, to_text(start) + " starts beside one of a replay before");
  return false;
}

// ---- operators

bool Simulation::operate_replays() {
  if (!options_.replays || !chance(0.3)) return false;
  if (chance(0.4)) {
    begin_replay();
  } else if (chance(0.25)) {
    const auto views = broker_->replays.views();
    if (!views.empty()) cancel_replay(views[fate_.below(views.size())].replay.name);
  } else {
    act_on_shadow();
  }
  return true;
}

// Whether it may begin, and be cancelled, is for the broker to say.
void Simulation::begin_replay() {
  const SubjectId subject = 1 + fate_.below(source_.subjects());
  const Sequence latest = source_.latest(subject);
  if (latest == 0) return;
  const Sequence from = some(1, latest);
  const auto begun =
      broker_->replays.begin({.topology = static_cast<TopologyIndex>(fate_.below(life_.live().size())),
                              .name = {},
                              .subject = chance(0.3) ? subject_name(subject) : "",
                              .latest = latest,
                              .from = from,
                              .to = from + some(0, 40),
                              .reason = "why"},
                             fate_.now().wall_ns);
  if (begun) step({});
}

void Simulation::cancel_replay(const std::string& name) {
  if (broker_->replays.cancel(name, "why", fate_.now().wall_ns)) step({});
}

void Simulation::act_on_shadow() {
  std::vector<SubjectId> records;
  for (const auto& [record, of] : shadow_records_)
    if (!of.is_gone && config_.known[of.shadow] && broker_->replays.runs(life_.topology_here[of.shadow]))
      records.push_back(record);
  if (records.empty()) return;
  const SubjectId record = records[fate_.below(records.size())];
  const ShadowRecord& of = shadow_records_.at(record);
  constexpr Act acts[] = {Act::pause, Act::resume, Act::park, Act::redrive, Act::skip, Act::rewind};
  const Act act = acts[fate_.below(std::size(acts))];
  const std::vector<SourceEvent>& events = source_.events(of.subject);
  const Sequence to = events[fate_.below(events.size())].sequence;
  command(act, of.shadow, record,
          act == Act::rewind ? std::max(to, checkers_.start_of(of.shadow, of.subject)) : 0);
}

// What nobody resumes, or an event holds up that fits no answer, stands until it is cancelled.
void Simulation::end_stopped_replays() {
  if (!options_.replays || is_healed_) return;
  for (const broker::Replays::View& view : broker_->replays.views())
    if (view.counts && view.counts->parked > 0) cancel_replay(view.replay.name);
  at(stopped_look_ns, [this] { end_stopped_replays(); });
}

}  // namespace cape::scheduler
