// broker/coverage.hpp
// Coverage proves what is done: "every event visible up to time X is processed, except these". The refresh
// walk asks a source for each subject's latest; what the store has of the subject, cursors and all, is held
// against it. X is the begin of the last whole walk of the domain for which each subject has come to the
// latest that was found, or is an exception. Cursors that are not stored do not count, so a crash takes
// nothing back. One that was on its way when the walk saw it is looked at again until it has come there. A
// walk that leaves more than that behind proves nothing, and the next one is begun.
//
//   walk ──(end, nothing behind)──▶ proven
//     └──(end, some behind)──▶ proof ──(the last of them came, or is an exception)──▶ proven
//
// Bounded: pending_max subjects a topology, looked at a few at a time. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/exceptions.hpp"
#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

class Coverage {
 public:
  static constexpr std::size_t pending_max = 2000;

  // Borrowed; they must outlive it.
  Coverage(const Config& config, storage::CursorStore& store);

  void begin_walk(DomainIndex domain, Now now);  // its first page is asked for
  // The source has the subject at `latest`; null: the store knows nothing of it.
  void see(DomainIndex domain, const std::string& subject, Sequence latest,
           const storage::CursorInfo* stored);
  void end_walk(DomainIndex domain, Now now);
  void abandon_walk(DomainIndex domain);

  void step(Now now);  // looks again at what was behind
  std::optional<std::int64_t> next_deadline() const;

  // What was proven in an earlier life of the broker.
  void open(std::vector<storage::CoverageRow> stored);
  const std::vector<storage::CoverageRow>& rows() const { return rows_; }  // what is proven now
  // When the last whole walk of the domain began that proved something; 0: none did.
  std::int64_t proven_wall_ns(DomainIndex domain) const;
  // Those that have to be stored now: the counts changed, or the stored one is store_after_ns old. So a store
  // at rest is left at rest.
  static constexpr std::int64_t store_after_ns = 60 * ns_per_s;
  std::vector<storage::CoverageRow> take_rows(std::int64_t now_ns);

 private:
  struct Pending {
    std::string subject;
    Sequence latest = 0;
  };
  struct Proof {
    storage::CoverageRow row;  // as it is once nothing is pending
    std::deque<Pending> pending;
    std::set<std::string> unseen;  // of these, by the walk that runs
    bool overflown = false;
  };
  struct Topology {
    Proof walk;
    std::optional<Proof> proof;
  };
  void see(TopologyIndex topology, const std::string& subject, Sequence latest,
           const storage::CursorInfo& info);
  void look_again(TopologyIndex topology, Proof& proof, std::size_t most, Now now);
  static void drop_gone(Proof& proof);
  void finish(TopologyIndex topology);
  void load_paused();

  const Config& config_;
  storage::CursorStore& store_;
  std::vector<bool> walking_;         // by DomainIndex
  std::vector<Topology> topologies_;  // by TopologyIndex
  struct Kept {
    storage::CoverageRow row;  // as it was handed out last
    std::int64_t next_ns = 0;  // boot time
  };
  std::vector<storage::CoverageRow> rows_;
  std::vector<Kept> kept_;  // by place in rows_
  PausedTopologies paused_;
  const storage::CursorInfo nothing_;  // of a subject that the store does not know
  std::int64_t wall_ns_ = 0;
  std::int64_t next_ns_ = 0;
};

}  // namespace cape::broker
