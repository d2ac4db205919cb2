// storage/group_writer.hpp
// GroupWriter commits groups of write batches: one transaction a group, and each batch by itself if a row of
// the group is bad, so that no batch pays for its neighbour. It knows what is committed but not yet on disk.
// When its file was deleted or a sync failed it stays failed: nothing after that could be trusted to last.
// Thread: one at a time; calls block on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/cursor_store.hpp"
#include "storage/files.hpp"
#include "storage/row_writer.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::storage {

class GroupWriter {
public:
  // A commit is on disk at most this long after it, and the time of one sync; well within the promised
  // second.
  static constexpr std::int64_t sync_after_ns = 700'000'000;
  static constexpr std::int64_t look_after_ns = 1'000'000'000;

  // Creates, migrates, raises the epoch: see open_sqlite_store().
  static Result<std::unique_ptr<GroupWriter>> open(const fs::path& data_dir);
  ~GroupWriter();

  std::uint32_t epoch() const { return epoch_; }
  SubjectId highest_id() const { return highest_id_; }  // stored when it was opened

  // One result a batch. A batch with `sync`, and with it its whole group, is on disk before this returns.
  std::vector<Result<void>> commit(Group group);

  // Its file was deleted or a sync failed: nothing is committed any more.
  bool is_broken() const { return broken_.has_value(); }

  // Boot time at which sync_if_due() has something to do; nullopt: everything is on disk.
  std::optional<std::int64_t> sync_due_ns() const;
  void sync_if_due(std::int64_t now_ns);

private:
  explicit GroupWriter(sqlite::Database db) : db_(std::move(db)) {}
  Result<void> check_able(std::int64_t now_ns);
  Result<void> commit_together(Group group);
  Result<void> write_and_commit(Group group);
  Result<void> sync_now();
  std::unexpected<Error> break_down(Error cause);

  sqlite::Database db_;
  std::unique_ptr<RowWriter> rows_;
  std::vector<FileIdentity> files_;  // database and log
  std::int64_t looked_ns_ = 0;
  std::optional<std::int64_t> unsynced_since_ns_;
  std::optional<Error> broken_;
  sqlite::Synchronous synchronous_ = sqlite::Synchronous::full;
  std::uint32_t epoch_ = 0;
  SubjectId highest_id_ = 0;
};

}  // namespace cape::storage
