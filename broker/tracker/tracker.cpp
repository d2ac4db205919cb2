#include "broker/tracker/tracker.hpp"

#include <algorithm>

#include "broker/scheduler/backoff.hpp"
#include "broker/tracker/up_to.hpp"
#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "core/log.hpp"

namespace cape::tracker {
namespace {

constexpr std::size_t subjects_per_call = 64;
constexpr std::size_t queries_max = subjects_per_call * (QueryBudget::per_read_max + 1);
// How much larger than a job a query for cursors that lag may be.
constexpr std::uint32_t batch_growth_max = 8;
constexpr std::uint32_t batch_events_max = 32'768;
constexpr std::uint64_t batch_bytes_max = 16u << 20;
static_assert(queries_max <= child::queries_per_call_max);
constexpr std::size_t live_calls_out_max = 3;  // per source: enough to keep it busy while one is answered
constexpr std::int64_t retry_first_ns = 50 * ns_per_ms;
constexpr std::int64_t retry_max_ns = 10 * ns_per_s;
constexpr std::int64_t probe_look_ns = ns_per_s;  // while a probe is out that may hang
// Reading it again would bring the same: an answer that it is there, and that nothing lies before it.
void make_unreadable(child::QueryAnswer& answer) {
  auto block = std::make_shared<EventBlock>();
  block->proven_from = answer.start;
  block->proven_to = answer.unreadable - 1;
  answer.block = std::move(block);
  answer.latest = answer.unreadable;
  answer.status = OutcomeKind::ok;
}

// As if the source had nothing above `last`.
void end_at(child::QueryAnswer& answer, Sequence last) {
  if (answer.unreadable > last) answer.reason.clear();
  answer.latest = std::min(answer.latest, last);
  answer.block = up_to(std::move(answer.block), last);
}

// Asks for `latest` alone: no event has this sequence, so the answer is empty.
constexpr Sequence latest_only = INT64_MAX - 1;

}  // namespace

Tracker::Tracker(const Config& config, const scheduler::Scheduler& scheduler, broker::Subjects& subjects,
                 std::vector<broker::SourceLink>& links, std::size_t subjects_max)
    : config_(config),
      scheduler_(scheduler),
      subjects_(subjects),
      links_(links),
      subjects_max_(subjects_max),
      book_(config.domains.size(), subjects_max),
      domains_(config.domains.size()) {
  for (const TopologyConfig& topology : config.topologies) {
    Domain& domain = domains_[topology.domain];
    domain.batch_events = std::max(domain.batch_events, topology.batch_events);
    domain.batch_bytes = std::max(domain.batch_bytes, topology.batch_bytes);
  }
  for (DomainIndex i = 0; i < domains_.size(); ++i) {
    domains_[i].budget = QueryBudget(config.domains[i].queries_per_s);
    domains_[i].source = source_domain(config, i);
    domains_[i].shadow = domains_[i].source != i;
  }
}

void Tracker::run_shadow(DomainIndex domain, Sequence last) {
  domains_[domain].last = last;
  book_.outdate(domain);  // the replay before had other records
}

void Tracker::end_shadow(DomainIndex domain) {
  domains_[domain].last.reset();
}

// What is live goes first: a replay has one call among those of its source.
std::size_t Tracker::calls_out_max(DomainIndex domain) const {
  return domains_[domain].shadow ? 1 : live_calls_out_max;
}

Taken Tracker::ping(const PingIn& ping) {
  if (domains_[ping.domain].shadow && !domains_[ping.domain].last && !ping.must) return Taken::merged;
  const Taken taken = book_.add(ping);
  ++counters_.pings;
  if (taken == Taken::merged) ++counters_.merged;
  if (taken == Taken::full) ++counters_.full;
  return taken;
}

void Tracker::pump(std::int64_t now_ns) {
  book_.wake_rested(now_ns);
  for (DomainIndex domain = 0; domain < domains_.size(); ++domain) {
    Domain& d = domains_[domain];
    d.held_up = false;
    while (book_.queued(domain) > 0 && link_of(domain).ready() && d.calls.size() < calls_out_max(domain) &&
           may_ask(domain, now_ns))
      if (!send_call(domain, now_ns)) break;
    d.held_up = book_.queued(domain) > 0 && !budget_of(domain).may_read(now_ns);
    if (d.held_up) ++counters_.held_up;
  }
}

bool Tracker::may_ask(DomainIndex domain, std::int64_t now_ns) const {
  const Domain& d = domains_[domain];
  return budget_of(domain).may_read(now_ns) && (d.breaker.admits(true, now_ns) || d.breaker.admits(false, now_ns));
}

std::optional<std::int64_t> Tracker::next_deadline() const {
  std::optional<std::int64_t> next = book_.next_deadline();
  const auto sooner = [&](std::int64_t at) { next = next ? std::min(*next, at) : at; };
  for (DomainIndex domain = 0; domain < domains_.size(); ++domain) {
    const Domain& d = domains_[domain];
    if (book_.queued(domain) == 0 || !link_of(domain).ready() || d.calls.size() >= calls_out_max(domain)) continue;
    if (d.held_up) sooner(budget_of(domain).next_ns());
    const std::int64_t probe_ns = std::min(d.breaker.ready_ns(true), d.breaker.ready_ns(false));
    if (d.breaker.is_open() && probe_ns != INT64_MAX) sooner(probe_ns);
  }
  return next;
}

// While the source fails, a subject that it failed at already does not take the place of one that it did not.
std::optional<ReadId> Tracker::next_read(DomainIndex domain, std::int64_t now_ns) {
  const Breaker& breaker = domains_[domain].breaker;
  while (const auto read = book_.begin(domain)) {
    if (breaker.admits(false, now_ns) || (book_.failures(*read) == 0 && breaker.admits(true, now_ns))) return read;
    const std::int64_t ready_ns = breaker.ready_ns(false);
    book_.rest(*read, ready_ns == INT64_MAX ? now_ns + probe_look_ns : ready_ns);
  }
  return std::nullopt;
}

// Positions of the topologies that can run now.
Result<std::vector<Sequence>> Tracker::positions_of(DomainIndex domain, std::string_view subject) {
  auto found = subjects_.find(domain, subject);
  if (!found) return std::unexpected(found.error());
  std::vector<Sequence> positions;
  const storage::CursorInfo* stored = found->stored ? &*found->stored : nullptr;
  for (const auto& at : scheduler_.positions(found->id, domain, stored))
    if (at.can_run) positions.push_back(at.position);
  return positions;
}

// One call for up to subjects_per_call subjects; for one while the source fails. false: nothing could be sent
// now.
bool Tracker::send_call(DomainIndex domain, std::int64_t now_ns) {
  Domain& d = domains_[domain];
  std::vector<child::SourceQuery> queries;
  std::vector<ReadId> reads;
  std::uint32_t batch = d.batch_events;
  const bool probes = d.breaker.is_open();
  QueryBudget& budget = budget_of(domain);
  const QueryBudget budget_before = budget;
  while (reads.size() < (probes ? 1 : subjects_per_call) && budget.may_read(now_ns)) {
    const auto read = next_read(domain, now_ns);
    if (!read) break;
    auto positions = positions_of(domain, book_.subject(*read));
    if (!positions) {
      log::error("broker", "reading the cursors of '{}': {}", printable(book_.subject(*read), 80), positions.error().message);
      settle(*read, true, now_ns);
      continue;
    }
    const Look look = book_.look(*read);
    if (!look.empty()) positions->push_back(look.from - 1);
    // The source's latest is not known before it answers, so every cursor counts as behind it.
    QueryPlan plan = plan_queries(std::move(*positions), latest_only,
                                  {.batch = d.batch_events,
                                   .batch_max = std::max(d.batch_events, std::min(batch_events_max, d.batch_events * batch_growth_max)),
                                   .queries_max = budget.queries_max(now_ns),
                                   .turn = scheduler::splitmix64(++counters_.reads)});
    if (plan.queries.empty()) plan.queries.push_back({.start = latest_only, .events_max = 1});
    if (!look.empty() && std::ranges::find(plan.queries, look.from, &PlannedQuery::start) == plan.queries.end())
      plan.queries.push_back({.start = look.from, .events_max = d.batch_events});
    budget.spend(plan.queries.size(), now_ns);
    if (!plan.whole) ++counters_.cut;
    book_.set_whole(*read, plan.whole);
    book_.outstanding(*read) = static_cast<std::uint32_t>(plan.queries.size());
    for (const PlannedQuery& query : plan.queries) {
      batch = std::max(batch, query.events_max);
      queries.push_back({.tag = *read, .subject = std::string(book_.subject(*read)), .start = query.start});
    }
    reads.push_back(*read);
  }
  if (reads.empty()) return false;
  const std::uint64_t bytes = std::max(d.batch_bytes, std::min(batch_bytes_max, d.batch_bytes * batch / d.batch_events));
  auto call = link_of(domain).child().query(queries, batch, bytes);
  if (!call) {  // its ring is full: an answer will make room
    for (ReadId read : reads) book_.put_back(read);
    budget = budget_before;
    return false;
  }
  ++counters_.calls;
  counters_.queries += queries.size();
  if (probes) d.breaker.begin_probe(*call, book_.failures(reads.front()) == 0 && d.breaker.admits(true, now_ns), now_ns);
  for (ReadId read : reads) book_.set_call(read, *call);
  d.calls.push_back({*call, std::move(reads)});
  return true;
}

Tracker::Step Tracker::on_answer(DomainIndex, child::QueryAnswer answer, std::int64_t now_ns) {
  const auto read = static_cast<ReadId>(answer.tag);
  const DomainIndex domain = book_.domain(read);  // the source's own, or a shadow's
  ++counters_.answers;
  const Domain& d = domains_[domain];
  if (d.shadow && !d.last) return on_ended_shadow(domain, read, now_ns);
  if (book_.is_outdated(read)) return read_anew(domain, read, now_ns);
  if (answer.status == OutcomeKind::not_found) return on_not_found(domain, read, now_ns);
  if (answer.unreadable != 0) make_unreadable(answer);
  if (answer.status != OutcomeKind::ok) {
    log_failure(domain, read, answer, now_ns);
    note_failure(domain, read, answer.call, fmt::format("{}: {}", name_of(answer.status), answer.reason), now_ns);
    settle(read, true, now_ns);
    return {};
  }
  note_success(domain);
  if (d.last) end_at(answer, *d.last);
  auto found = subjects_.find(domain, book_.subject(read));
  if (!found) {
    settle(read, true, now_ns);
    return {.error = found.error()};
  }
  if (d.shadow && found->id == 0) {  // no part of the replay: to a scheduler it were new
    settle(read, false, now_ns);
    return {};
  }
  scheduler::SchedulingRequest request{.subject = 0,
                                       .domain = domain,
                                       .name = std::string(book_.subject(read)),
                                       .stored = std::move(found->stored),
                                       .latest = answer.latest,
                                       .block = std::move(answer.block),
                                       .ping_ns = book_.ping_ns(read),
                                       .inbox_generation = book_.generation(read),
                                       .first = book_.take_first(read),
                                       .last = is_last(read),
                                       .whole = book_.whole(read),
                                       .unreadable = std::move(answer.reason)};
  request.subject = subjects_.hold(domain, request.name, found->id);
  const Look rest = rest_of_look(read, answer.start, request.block->proven_to);
  settle(read, false, now_ns);
  if (!rest.empty()) book_.add({.domain = domain, .subject = request.name, .ping_ns = now_ns, .must = true, .look = rest});
  return {.request = std::move(request)};
}

SubjectId Tracker::held_subject(ReadId read) const {
  const SubjectId held = subjects_.named(book_.domain(read), book_.subject(read));
  return held != 0 && scheduler_.holds(held) ? held : 0;
}

// Of a read that is repeated none is.
bool Tracker::is_last(ReadId read) {
  return book_.outstanding(read) <= 1 && !book_.failed(read);
}

// Answers are bounded, so one look may take several; each brings it further.
Look Tracker::rest_of_look(ReadId read, Sequence start, Sequence proven_to) const {
  const Look& look = book_.look(read);
  if (look.from != start || proven_to < start || proven_to >= look.to) return {};
  return {.from = proven_to + 1, .to = look.to};
}

void Tracker::log_failure(DomainIndex domain, ReadId read, const child::QueryAnswer& answer,
                          std::int64_t now_ns) {
  LineLimit& limit = domains_[domain].failure_lines;
  if (!limit.admit(now_ns)) return;
  const std::uint64_t held_back = limit.take_held_back(now_ns);
  log::warning("broker", "source of domain '{}' could not read '{}': {} {}{}", config_.domains[domain].name,
               printable(book_.subject(read), 80), name_of(answer.status), answer.reason,
               held_back > 0 ? fmt::format(" ({} more subjects before it are not shown)", held_back) : "");
}

scheduler::SchedulingRequest Tracker::nothing_of(DomainIndex domain, ReadId read, SubjectId subject,
                                                 std::optional<storage::CursorInfo> stored) {
  return {.subject = subject,
          .domain = domain,
          .name = std::string(book_.subject(read)),
          .stored = std::move(stored),
          .block = std::make_shared<const EventBlock>(),
          .ping_ns = book_.ping_ns(read),
          .first = book_.take_first(read),
          .last = is_last(read),
          .gone = true};
}

// The source does not know the subject. Nothing moves; a scheduler that waits for this read must hear of it.
Tracker::Step Tracker::on_not_found(DomainIndex domain, ReadId read, std::int64_t now_ns) {
  ++counters_.not_found;
  note_success(domain);
  Step step{.gone_generation = book_.generation(read), .gone_subject = std::string(book_.subject(read))};
  SubjectId held = subjects_.named(domain, step.gone_subject);
  std::optional<storage::CursorInfo> stored;
  if (domains_[domain].last && (held == 0 || !scheduler_.holds(held))) {  // it has nothing to run any more
    auto found = subjects_.find(domain, step.gone_subject);
    if (!found) step.error = found.error();
    if (found && found->stored) {
      stored = std::move(found->stored);
      held = subjects_.hold(domain, step.gone_subject, found->id);
    }
  }
  if (held != 0 && (stored || scheduler_.holds(held))) step.request = nothing_of(domain, read, held, std::move(stored));
  settle(read, false, now_ns);
  return step;
}

// Its subjects are on their way out of memory.
Tracker::Step Tracker::on_ended_shadow(DomainIndex domain, ReadId read, std::int64_t now_ns) {
  Step step;
  if (const SubjectId held = held_subject(read); held != 0)
    step.request = nothing_of(domain, read, held, std::nullopt);
  settle(read, false, now_ns);
  return step;
}

// The replay before asked for it, of records that are no more: what it tells would be compared with those of
// the one that runs. A scheduler that waits for it waits on.
Tracker::Step Tracker::read_anew(DomainIndex domain, ReadId read, std::int64_t now_ns) {
  if (held_subject(read) != 0)
    book_.add({.domain = domain, .subject = book_.subject(read), .ping_ns = now_ns, .must = true});
  settle(read, false, now_ns);
  return {};
}

// One answer of `read` is in, or will not come. A read with a failed part is repeated as a whole.
void Tracker::settle(ReadId read, bool failed, std::int64_t now_ns) {
  if (failed) {
    ++counters_.failures;
    book_.mark_failed(read);
  }
  std::uint32_t& outstanding = book_.outstanding(read);
  if (outstanding > 0) --outstanding;
  if (outstanding > 0) return;
  if (!book_.failed(read)) return book_.finish(read);
  if (const SubjectId held = held_subject(read); held != 0) failed_.push_back({held});
  const auto doublings = std::min<std::uint32_t>(book_.failures(read), 10);
  book_.retry_later(read, now_ns + std::min(retry_first_ns << doublings, retry_max_ns));
}

void Tracker::note_failure(DomainIndex domain, ReadId read, std::uint64_t call, const std::string& why,
                           std::int64_t now_ns) {
  Domain& d = domains_[domain];
  d.trouble = why;
  const bool was_open = d.breaker.is_open();
  d.breaker.on_failure(StringHash{}(book_.subject(read)), call, now_ns);
  if (!was_open && d.breaker.is_open())
    log::warning("broker", "{}", trouble(domain));
}

void Tracker::note_success(DomainIndex domain) {
  Breaker& breaker = domains_[domain].breaker;
  const bool was_open = breaker.is_open();
  breaker.on_success();
  if (was_open) log::info("broker", "source of domain '{}' answers again", config_.domains[domain].name);
}

std::string Tracker::trouble(DomainIndex domain) const {
  if (!domains_[domain].breaker.is_open()) return {};
  return fmt::format("source of domain '{}' fails whatever it is asked for, the last time with {}; one subject at a time tries it",
                     config_.domains[domain].name, domains_[domain].trouble);
}

void Tracker::on_call_done(DomainIndex source, child::CallId call) {
  for (Domain& d : domains_) {
    if (d.source != source) continue;
    d.breaker.on_end(call);
    std::erase_if(d.calls, [&](const Call& out) { return out.id == call; });
  }
}

void Tracker::on_source_lost(DomainIndex source, std::int64_t now_ns) {
  for (DomainIndex domain = 0; domain < domains_.size(); ++domain) {
    Domain& d = domains_[domain];
    if (d.source != source) continue;
    for (const Call& call : d.calls)
      for (ReadId read : call.reads) {
        if (!book_.is_reading(read, call.id)) continue;
        note_failure(domain, read, call.id, "its child ended: " + links_[source].trouble(), now_ns);
        book_.outstanding(read) = 1;
        settle(read, true, now_ns);
      }
    d.calls.clear();
  }
}

}  // namespace cape::tracker
