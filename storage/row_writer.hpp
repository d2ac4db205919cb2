// storage/row_writer.hpp
// RowWriter turns write batches into rows inside a transaction that somebody else opens and ends. It checks
// each row first; an Error::invalid or Error::conflict blames a row, any other the environment. Borrows the
// connection, which must outlive it. Thread: the connection's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "storage/cursor_store.hpp"
#include "storage/domain_names.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::storage {

using Group = std::span<const WriteBatch* const>;  // in the order of submission

class RowWriter {
public:
  static Result<RowWriter> open(sqlite::Database& db, SubjectId highest_id);

  // Requires: a write transaction is open. After an error it must be rolled back.
  Result<void> apply(Group group);
  void rolled_back();

private:
  struct Statements {
    sqlite::Statement insert_cursor, update_cursor, turn_cursor, upsert_inbox, clear_inbox, upsert_lease,
        remove_lease, pause_topology, resume_topology, put_pin, remove_pin, add_audit, put_baseline, add_baseline_topology,
        add_baseline_start, put_coverage, put_replay, forget_replays, put_canary, remove_cursor;
  };
  explicit RowWriter(DomainNames domains) : domains_(std::move(domains)) {}

  Result<void> apply_cursors(Group group);
  Result<void> apply_cursor(const CursorWrite& write);
  Result<void> insert_cursor(const CursorWrite& write, std::int64_t domain, std::string_view record);
  Result<bool> update_cursor(const CursorWrite& write, std::int64_t domain, std::string_view record);
  Result<void> apply_inbox(Group group);
  struct InboxChange;
  Result<void> apply_inbox_change(const InboxChange& change);
  Result<void> apply_leases(const WriteBatch& batch);
  Result<void> add_audit(const AuditEntry& entry);
  Result<void> apply_pin(const PinWrite& write);
  Result<void> apply_operators(const WriteBatch& batch);
  Result<void> apply_baseline(const BaselinePage& page);
  Result<void> apply_coverage(const CoverageRow& row);
  Result<void> apply_replay(const ReplayPage& page);
  Result<void> apply_canary(const Canary& canary);

  DomainNames domains_;
  Statements statements_;
  SubjectId highest_id_ = 0;  // at or above every stored one
};

}  // namespace cape::storage
