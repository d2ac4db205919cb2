// broker/tracker/tracker.hpp
// Tracker turns pings into scheduling requests: it asks each domain's source what lies after the cursors, in
// few calls for many subjects, and hands the answers on. It keeps no cursors: positions come from the
// scheduler's view, else from the store. What a source may be asked for is bounded: by read (query_plan.hpp), by
// second (queries_per_s of its domain), and, while whatever it is asked for fails, to one subject at a time
// (core/breaker.hpp). Thread: broker loop only; never blocks beyond a local read.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/source_link.hpp"
#include "broker/subjects.hpp"
#include "broker/tracker/read_book.hpp"
#include "broker/tracker/query_budget.hpp"
#include "broker/tracker/query_plan.hpp"
#include "core/breaker.hpp"
#include "core/rate_limit.hpp"

namespace cape::tracker {

struct TrackerCounters {
  std::uint64_t pings = 0, merged = 0, full = 0;
  std::uint64_t calls = 0, queries = 0, answers = 0, failures = 0, not_found = 0;
  std::uint64_t reads = 0;
  std::uint64_t cut = 0;      // reads that left out positions which lag
  std::uint64_t held_up = 0;  // times that a source's queries_per_s was used up
};

class Tracker {
 public:
  // Everything borrowed must outlive it. `links` by DomainIndex.
  Tracker(const Config& config, const scheduler::Scheduler& scheduler, broker::Subjects& subjects,
          std::vector<broker::SourceLink>& links, std::size_t subjects_max);

  Taken ping(const PingIn& ping);
  // Shadows are read by their domains as what is live, one call at a time, but no further than to `last`, and
  // only from run_shadow() to end_shadow(): outside a ping leads to nothing.
  void run_shadow(DomainIndex domain, Sequence last);
  void end_shadow(DomainIndex domain);
  std::size_t queued(DomainIndex domain) const { return book_.queued(domain); }
  // Sends the queries of queued subjects to the sources that are ready.
  void pump(std::int64_t now_ns);

  // What an answer leads to. `source` is the live domain of the source.
  struct Step {
    std::optional<scheduler::SchedulingRequest> request;
    // The subject is unknown to its source: acknowledged pings up to this generation are answered for.
    std::uint64_t gone_generation = 0;
    std::string gone_subject;
    std::optional<Error> error;  // the store could not be read
  };
  Step on_answer(DomainIndex source, child::QueryAnswer answer, std::int64_t now_ns);
  void on_call_done(DomainIndex source, child::CallId call);
  // The child ended: every read that was out is tried again later.
  void on_source_lost(DomainIndex source, std::int64_t now_ns);
  // Of which subjects that the scheduler holds a read has failed since; to be stepped behind its answers.
  std::vector<scheduler::ReadFailed> take_failed() { return std::exchange(failed_, {}); }

  std::optional<std::int64_t> next_deadline() const;
  // Why single subjects of the domain are read, if at all: its source failed at all that were tried last.
  // Empty: it did not.
  std::string trouble(DomainIndex domain) const;
  bool idle() const { return book_.size() == 0; }
  std::size_t size() const { return book_.size(); }
  bool is_reading(DomainIndex domain, std::string_view subject) const { return book_.holds(domain, subject); }
  bool has_room() const { return book_.size() < subjects_max_ / 2; }
  const TrackerCounters& counters() const { return counters_; }

 private:
  struct Call {
    child::CallId id;
    std::vector<ReadId> reads;
  };
  void log_failure(DomainIndex domain, ReadId read, const child::QueryAnswer& answer, std::int64_t now_ns);
  Step on_not_found(DomainIndex domain, ReadId read, std::int64_t now_ns);
  SubjectId held_subject(ReadId read) const;  // 0: the scheduler does not hold it
  bool is_last(ReadId read);
  Step read_anew(DomainIndex domain, ReadId read, std::int64_t now_ns);
  Step on_ended_shadow(DomainIndex domain, ReadId read, std::int64_t now_ns);
  // A read that tells a scheduler that waits for it of no events.
  scheduler::SchedulingRequest nothing_of(DomainIndex domain, ReadId read, SubjectId subject,
                                          std::optional<storage::CursorInfo> stored);
  broker::SourceLink& link_of(DomainIndex domain) const { return links_[domains_[domain].source]; }
  QueryBudget& budget_of(DomainIndex domain) { return domains_[domains_[domain].source].budget; }
  const QueryBudget& budget_of(DomainIndex domain) const { return domains_[domains_[domain].source].budget; }
  std::size_t calls_out_max(DomainIndex domain) const;
  bool send_call(DomainIndex domain, std::int64_t now_ns);
  bool may_ask(DomainIndex domain, std::int64_t now_ns) const;
  std::optional<ReadId> next_read(DomainIndex domain, std::int64_t now_ns);
  void note_failure(DomainIndex domain, ReadId read, std::uint64_t call, const std::string& why, std::int64_t now_ns);
  void note_success(DomainIndex domain);
  Result<std::vector<Sequence>> positions_of(DomainIndex domain, std::string_view subject);
  void settle(ReadId read, bool failed, std::int64_t now_ns);
  Look rest_of_look(ReadId read, Sequence start, Sequence proven_to) const;

  const Config& config_;
  const scheduler::Scheduler& scheduler_;
  broker::Subjects& subjects_;
  std::vector<broker::SourceLink>& links_;
  std::size_t subjects_max_;
  ReadBook book_;
  struct Domain {
    DomainIndex source = 0;      // the live domain that is read: itself, unless it is a shadow's
    std::optional<Sequence> last;  // of a shadow that runs
    bool shadow = false;
    std::uint32_t batch_events = 1;
    std::uint64_t batch_bytes = 1;
    std::vector<Call> calls;     // out at the source
    LineLimit failure_lines{5, 20};
    QueryBudget budget{0};
    Breaker breaker{{.subjects = 8, .wait_first_ns = 50 * ns_per_ms, .wait_max_ns = 10 * ns_per_s}};
    std::string trouble;     // as its last failure said
    bool held_up = false;    // by its budget
  };
  std::vector<Domain> domains_;
  std::vector<scheduler::ReadFailed> failed_;
  TrackerCounters counters_;
};

}  // namespace cape::tracker
