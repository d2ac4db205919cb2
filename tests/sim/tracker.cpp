// Source and tracker of the simulation.
#include <algorithm>
#include <string>

#include "broker/scheduler/backoff.hpp"
#include "broker/tracker/query_plan.hpp"
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::uint32_t batch = 3;  // of the domain: the largest of its topologies

}  // namespace

void Simulation::append() {
  if (!in_trouble()) return;
  const SubjectId subject = 1 + fate_.below(options_.subjects);
  const auto count = some(1, 8);
  for (std::int64_t i = 0; i < count && has_room(subject); ++i) append_to(subject);
  if (is_quiet(subject)) {
    ask(subject);
  } else {
    if (chance(0.6)) ping(subject);
    if (chance(0.3)) ping(subject);
  }
  at(some(ms, 20 * ms), [this] { append(); });
}

bool Simulation::has_room(SubjectId subject) {
  return options_.backlog_max == 0 || checkers_.backlog(subject) < options_.backlog_max;
}

// Now and then a transaction that took an earlier number commits later.
void Simulation::append_to(SubjectId subject) {
  const Sequence gap = chance(0.3) ? some(2, 9) : 1;
  const bool late = options_.late_events && chance(0.2);
  const bool unreadable = !late && options_.poison && subject % 5 == 0 && chance(0.02);
  const std::size_t place = source_.add(subject, gap, late, unreadable);
  if (!late) return;
  ++met_.late;
  at(std::min(some(ms, 300 * ms), fate_.trouble_end_ns() - fate_.now_ns()), [this, subject, place] {
    source_.show(subject, place);
    checkers_.on_shown(subject, place);
    if (is_quiet(subject) || chance(0.6)) tell_of(subject);
  });
}

void Simulation::ping_behind() {
  std::vector<SubjectId> behind;
  for (const auto& [subject, stored] : store_)
    if (stored.behind) behind.push_back(subject);
  for (SubjectId subject : behind) ping(subject);
}

void Simulation::tell_of(SubjectId subject) {
  if (is_quiet(subject))
    ask(subject);
  else
    ping(subject);
}

void Simulation::ping(SubjectId record, bool must, std::uint64_t generation) {
  const DomainIndex domain = domain_of(record);
  if (is_shadow(record) && !shadows_read_.contains(domain) && !must) return;
  const auto taken = broker_->book.add({.domain = domain,
                                        .subject = subject_name(subject_of(record)),
                                        .ping_ns = fate_.now_ns(),
                                        .generation = generation,
                                        .must = must});
  if (taken == tracker::Taken::queued) broker_at(some(0, 3 * ms), [this] { pump(); });
}

void Simulation::pump() {
  broker_->book.wake_rested(fate_.now_ns());
  for (DomainIndex domain = 0; domain < life_.plan.domains.size(); ++domain)
    while (const auto read = broker_->book.begin(domain)) begin(*read);
}

// Now and then a read fails, or its answer takes long.
void Simulation::begin(tracker::ReadId read) {
  const DomainIndex domain = broker_->book.domain(read);
  const SubjectId record = record_of(read);
  if (record == 0) return broker_->book.finish(read);  // it went with its replay
  if (in_trouble() && chance(0.05)) return read_again(read);
  std::vector<Sequence> cursors;
  for (const TopologyPosition& at : broker_->scheduler.positions(record, domain, loaded(record)))
    if (at.can_run) cursors.push_back(at.position);
  const std::uint64_t turn = splitmix64(++reads_);
  // As few queries as it may be, so that many a read leaves out some that lag.
  tracker::QueryPlan plan = tracker::plan_queries(
      cursors, INT64_MAX - 1,
      {.batch = batch, .batch_max = 2 * batch, .queries_max = 2 + turn % 3, .turn = turn});
  add_look(record, plan);
  const std::int64_t delay = in_trouble() && chance(0.005) ? some(100 * ms, second) : some(0, 4 * ms);
  broker_at(delay / 2, [this, read, plan, delay] { read_source(read, plan, delay - delay / 2); });
}

// The source is read now, and what comes meanwhile is not in the answer.
void Simulation::read_source(tracker::ReadId read, const tracker::QueryPlan& plan, std::int64_t travel_ns) {
  const SubjectId subject = std::stoul(std::string(broker_->book.subject(read).substr(1)));
  const Sequence latest = source_.latest(subject);
  std::vector<SchedulingRequest> answers;
  for (const tracker::PlannedQuery& query : plan.queries) {
    answers.push_back(request_for(subject, query, latest));
    answers.back().whole = plan.whole;
  }
  if (answers.empty())
    answers.push_back(request_for(subject, {.start = INT64_MAX - 1, .events_max = batch}, latest));
  broker_at(travel_ns,
            [this, read, answers = std::move(answers)]() mutable { answer(read, std::move(answers)); });
}

void Simulation::answer(tracker::ReadId read, std::vector<SchedulingRequest> answers) {
  const SubjectId subject = std::stoul(std::string(broker_->book.subject(read).substr(1)));
  const DomainIndex domain = broker_->book.domain(read);
  const SubjectId record = record_of(read);
  if (broker_->book.is_outdated(read) && shadows_read_.contains(domain)) return read_anew(read, record);
  Sequence denied = INT64_MAX;  // the source has nothing above it, it says
  std::optional<SchedulingRequest> told;
  if (options_.lying_source && in_trouble() && domain == 0 && chance(0.02)) told = lie(subject);
  if (told) {
    if (lied_about_.contains(subject) && !told->gone && told->unreadable.empty()) denied = told->latest;
    answers.assign(1, *std::move(told));
  }
  if (domain != 0) turn_to_shadow(answers, record, domain);
  for (SchedulingRequest& answer : answers) answer.last = &answer == &answers.back();
  const bool one_failed = fail_one(answers);
  for (const SchedulingRequest& answer : answers)
    if (!told) note_look(subject, *answer.block);
  std::vector<Input> inputs;
  for (SchedulingRequest& answer : answers) {
    if (!answer.gone) answer.stored = record_for_step(record);
    answer.inbox_generation = broker_->book.generation(read);
    answer.first = &answer == &answers.front();
    inputs.emplace_back(std::move(answer));
  }
  if (one_failed)
    read_again(read);
  else
    broker_->book.finish(read);
  if (broker_->book.queued(domain) > 0) broker_at(some(0, 3 * ms), [this] { pump(); });
  const std::vector<TopologyIndex> stop =
      denied == INT64_MAX ? std::vector<TopologyIndex>() : saved_beyond(subject, denied);
  const std::uint32_t epoch = epoch_;
  step(std::move(inputs));
  for (TopologyIndex topology : stop)
    if (epoch == epoch_ && view_of(topology, subject).state != SubjectState::parked)
      violate(Promise::told, fmt::format("subject {}: its source went back to {}, and {} goes on", subject,
                                         denied, all_.topologies[topology].name));
}

void Simulation::read_anew(tracker::ReadId read, SubjectId record) {
  if (record != 0 && broker_->scheduler.holds(record)) ping(record, true);
  broker_->book.finish(read);
  broker_at(some(0, 3 * ms), [this] { pump(); });
}

// Now and then one of several does, be it the last: then the read is repeated as a whole.
bool Simulation::fail_one(std::vector<SchedulingRequest>& answers) {
  if (answers.size() < 2 || !in_trouble() || !chance(0.05)) return false;
  ++met_.reads_broken;
  answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(fate_.below(answers.size())));
  answers.back().last = false;
  return true;
}

void Simulation::read_again(tracker::ReadId read) {
  if (const SubjectId record = record_of(read); broker_->scheduler.holds(record))
    broker_at(0, [this, record] { step({ReadFailed{record}}); });
  broker_->book.retry_later(read, fate_.now_ns() + 10 * ms);
  broker_at(10 * ms, [this] { pump(); });
}

// The topologies that were told of a cursor above `latest` in the store, which only a source can take back.
std::vector<TopologyIndex> Simulation::saved_beyond(SubjectId subject, Sequence latest) const {
  std::vector<TopologyIndex> beyond;
  const auto at = store_.find(subject);
  if (at == store_.end() || !at->second.is_known) return beyond;
  for (const storage::TopologyCursor& stored : at->second.info.topologies) {
    const auto spec = std::ranges::find(all_.topologies, stored.topology, &TopologySpec::name);
    const auto topology = static_cast<TopologyIndex>(spec - all_.topologies.begin());
    const auto is_beyond = [&](const storage::LambdaCursor& lambda) {
      return lambda.cursor > latest && lambda.cursor <= at->second.info.latest;
    };
    if (config_.known[topology] && !is_rewound(topology, subject) &&
        std::ranges::any_of(stored.lambdas, is_beyond))
      beyond.push_back(topology);
  }
  return beyond;
}

SchedulingRequest Simulation::request_for(SubjectId subject, const tracker::PlannedQuery& query,
                                          Sequence latest) {
  const std::uint32_t most =
      chance(0.2) ? 1 : query.events_max;  // a source may give less than it was asked for
  SourceAnswer answer = source_.read(subject, query.start, most, latest, chance(0.1) ? some(1, 30) : 0);
  auto request = World::make_request(subject, answer.latest, std::move(answer.block), {});
  if (answer.unreadable) request.unreadable = "its payload is too large";
  return request;
}

// A source that does not know the subject any more, tells of events and gives none, or has lost its last
// ones.
std::optional<SchedulingRequest> Simulation::lie(SubjectId subject) {
  const std::vector<SourceEvent>& events = source_.events(subject);
  if (events.empty()) return {};
  ++met_.lies;
  note(fmt::format("the source lies about subject {}", subject));
  const auto kind = fate_.below(3);
  if (kind == 0 && broker_->scheduler.holds(subject)) {
    auto request = World::make_request(subject, 0, nothing(), {});
    request.gone = true;
    return request;
  }
  if (kind == 1) return World::make_request(subject, source_.latest(subject), nothing(), {});
  lied_about_.insert(subject);
  checkers_.on_lie(subject);
  return request_for(subject, {.start = 1, .events_max = batch}, events[fate_.below(events.size())].sequence);
}

}  // namespace cape::scheduler
