// broker/saver.hpp
// Saver gathers what must be stored and hands it to the store in groups: cursor records after a few
// milliseconds or a full group, acknowledged pings and host leases at once, synced. It tells which are done.
// Nothing is acknowledged, and no cursor counts as saved, before the store has said so. Thread: broker loop.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

using AckId = std::uint64_t;  // the frontend's number of a ping that waits for its answer

class Saver {
 public:
  Saver(const Config& config, storage::CursorStore& store);  // both must outlive it

  void save(scheduler::SaveCursor save, std::int64_t now_ns);
  void put_inbox(storage::InboxRow row, AckId ack);
  void clear_inbox(storage::InboxClear clear, std::int64_t now_ns);
  void put_lease(storage::HostLease lease);
  void remove_lease(std::string host);
  // Synced, with its audit; Done::pauses has the token when it is on disk, or could not be stored.
  void put_pause(storage::PausedTopology topology, storage::AuditEntry audit, std::uint64_t token);
  // Synced; Done::baselines has its id when it is on disk, or could not be stored. One at a time.
  void put_baseline(storage::BaselinePage page);
  // Synced; Done::replays has its id when it is on disk, or could not be stored. One at a time of each.
  void put_replay(storage::ReplayPage page);
  // Synced, with its audit; Done::pins has the token when it is on disk, or could not be stored.
  void put_pin(storage::PinWrite write, storage::AuditEntry audit, std::uint64_t token);
  // Synced; Done::canaries has the token when it is on disk, or could not be stored. With what an operator
  // did.
  void put_canary(storage::Canary canary, std::vector<storage::AuditEntry> audit, std::uint64_t token);
  void put_coverage(std::vector<storage::CoverageRow> rows, std::int64_t now_ns);
  void sync();  // everything given so far is on disk when it is done

  void flush(std::int64_t now_ns);  // submits what is due
  std::optional<std::int64_t> next_deadline() const;

  struct Done {
    std::vector<scheduler::Input> saved;  // CursorSaved, CursorSaveFailed
    std::vector<AckId> acknowledged;
    std::vector<AckId> refused;              // the store failed; `error` says how
    std::vector<storage::HostLease> leases;  // that are on disk
    std::vector<std::uint64_t> pauses;       // tokens
    bool pauses_failed = false;              // `error` says how
    struct Stored {
      std::uint64_t id = 0;
      bool is_stored = false;
    };
    std::vector<Stored> baselines, replays, pins, canaries;
    std::optional<Error> error;
    bool broken = false;  // nothing can be stored any more
  };
  Done poll(std::int64_t now_ns);

  bool idle() const { return pending_.empty() && !sync_asked_ && groups_.empty(); }
  bool has_room() const { return pending_acks_.size() < acks_max; }
  std::uint64_t commits() const { return commits_; }

 private:
  static constexpr std::size_t rows_per_group = 2000;
  static constexpr std::size_t groups_out_max = 2;
  static constexpr std::size_t acks_max = 16'384;

  struct SavedRow {
    SubjectId subject;
    std::uint64_t version;
  };
  struct Group {
    storage::Ticket ticket;
    std::vector<SavedRow> rows;
    std::vector<AckId> acks;
    std::vector<std::uint64_t> pauses, baselines, replays, pins, canaries;
    std::vector<storage::HostLease> leases;
    std::vector<storage::InboxClear> clears;  // that go with no cursor
  };
  bool urgent() const {
    return !pending_.inbox.empty() || !pending_.leases.empty() || !pending_.audit.empty() ||
           !pending_.baselines.empty() || !pending_.replays.empty() || !pending_.canaries.empty() ||
           sync_asked_;
  }

  const Config& config_;
  storage::CursorStore& store_;
  storage::WriteBatch pending_;
  std::vector<SavedRow> pending_rows_;
  std::vector<storage::InboxClear> pending_clears_;  // that go with no cursor
  std::vector<AckId> pending_acks_;
  std::vector<std::uint64_t> pending_pauses_, pending_baselines_, pending_replays_, pending_pins_, pending_canaries_;
  bool sync_asked_ = false;
  std::int64_t due_ns_ = INT64_MAX;  // of the oldest pending row
  std::deque<Group> groups_;
  std::uint64_t commits_ = 0;
};

}  // namespace cape::broker
