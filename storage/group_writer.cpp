#include "storage/group_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "storage/store_schema.hpp"

namespace cape::storage {
namespace {

constexpr std::int32_t writer_busy_ms = 5'000;  // another program at the file, such as a backup or a person

// The log grows to 16 MiB before it is copied back: dense groups write the same pages again and again, and
// each page is copied once a checkpoint. The cache holds the pages of about 100,000 records.
constexpr const char* tuning =
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA journal_size_limit = 33554432;"
    "PRAGMA cache_size = -16384;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA trusted_schema = OFF";

bool blames_a_row(const Error& error) {
  return error.code == ErrorCode::invalid || error.code == ErrorCode::conflict ||
         error.code == ErrorCode::limit;
}

Result<sqlite::Database> open_database(const fs::path& file) {
  if (Result<void> whole = refuse_orphaned_log(file); !whole) return std::unexpected(whole.error());
  if (Result<void> made = make_file(file, 0600); !made) return std::unexpected(made.error());
  Result<sqlite::Database> db = sqlite::Database::open(file, sqlite::Access::write, writer_busy_ms);
  if (!db) return db;
  if (Result<void> done = sqlite::migrate(*db, store_schema(), file); !done)
    return std::unexpected(done.error());
  if (Result<void> done = db->use_wal(); !done) return std::unexpected(done.error());
  if (Result<void> done = db->execute(tuning); !done) return std::unexpected(done.error());
  return db;
}

}  // namespace

Result<std::unique_ptr<GroupWriter>> GroupWriter::open(const fs::path& data_dir) {
  const fs::path file = data_dir / store_file_name;
  Result<sqlite::Database> db = open_database(file);
  if (!db) return std::unexpected(db.error());
  const Result<BrokerLife> life = begin_broker_life(*db, file);
  if (!life) return std::unexpected(life.error());

  std::unique_ptr<GroupWriter> writer(new GroupWriter(std::move(*db)));
  writer->epoch_ = life->epoch;
  writer->highest_id_ = life->highest_id;
  Result<RowWriter> rows = RowWriter::open(writer->db_, life->highest_id);
  if (!rows) return std::unexpected(rows.error());
  writer->rows_ = std::make_unique<RowWriter>(std::move(*rows));
  for (const char* suffix : {"", "-wal"}) {
    Result<FileIdentity> identity = FileIdentity::of(file.native() + suffix);
    if (!identity) return std::unexpected(identity.error());
    writer->files_.push_back(std::move(*identity));
  }
  writer->looked_ns_ = boot_ns();
  return writer;
}

GroupWriter::~GroupWriter() {
  if (unsynced_since_ns_ && !broken_) static_cast<void>(sync_now());  // logs its failure itself
}

std::vector<Result<void>> GroupWriter::commit(Group group) {
  const Result<void> whole = commit_together(group);
  if (whole || group.size() == 1 || !blames_a_row(whole.error()))
    return std::vector<Result<void>>(group.size(), whole);
  std::vector<Result<void>> results;
  results.reserve(group.size());
  for (const WriteBatch* const& batch : group) results.push_back(commit_together({&batch, 1}));
  return results;
}

Result<void> GroupWriter::commit_together(Group group) {
  if (Result<void> able = check_able(boot_ns()); !able) return able;
  const bool sync = std::ranges::any_of(group, &WriteBatch::sync);
  const sqlite::Synchronous wanted = sync ? sqlite::Synchronous::full : sqlite::Synchronous::normal;
  if (wanted != synchronous_) {
    if (Result<void> set = db_.set_synchronous(wanted); !set) return set;
    synchronous_ = wanted;
  }
  const std::int64_t changes_before = db_.changes_in_all();
  if (Result<void> written = write_and_commit(group); !written) {
    rows_->rolled_back();
    return written;
  }
  const bool wrote = db_.changes_in_all() != changes_before;
  if (sync && wrote) unsynced_since_ns_.reset();  // the log was synced, and with it all that was before
  // A transaction that changed nothing syncs nothing, but what it found may rest on commits that are not on
  // disk.
  if (sync && !wrote && unsynced_since_ns_) return sync_now();
  if (!sync && wrote && !unsynced_since_ns_) unsynced_since_ns_ = boot_ns();
  return {};
}

Result<void> GroupWriter::write_and_commit(Group group) {
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  if (Result<void> applied = rows_->apply(group); !applied) return applied;
  Result<void> committed = transaction->commit();
  if (!committed && db_.sync_failed()) return break_down(committed.error());
  return committed;
}

Result<void> GroupWriter::check_able(std::int64_t now_ns) {
  if (broken_) return std::unexpected(*broken_);
  if (now_ns - looked_ns_ < look_after_ns) return {};
  looked_ns_ = now_ns;
  for (const FileIdentity& file : files_) {
    if (file.still_holds()) continue;
    return break_down(
        {ErrorCode::io, fmt::format("{} was deleted or replaced while it was in use, so nothing can be "
                                    "saved any more: put the same file back and start again",
                                    file.file().string())});
  }
  return {};
}

std::optional<std::int64_t> GroupWriter::sync_due_ns() const {
  if (!unsynced_since_ns_ || broken_) return std::nullopt;
  return *unsynced_since_ns_ + sync_after_ns;
}

void GroupWriter::sync_if_due(std::int64_t now_ns) {
  const std::optional<std::int64_t> due_ns = sync_due_ns();
  if (due_ns && *due_ns <= now_ns)
    static_cast<void>(sync_now());  // a failure stays in broken_ for the next commit
}

Result<void> GroupWriter::sync_now() {
  if (Result<void> synced = db_.sync_wal(); !synced) return break_down(synced.error());
  unsynced_since_ns_.reset();
  return {};
}

// After a failed sync the system may have dropped what it could not write, and a later sync would still
// succeed.
std::unexpected<Error> GroupWriter::break_down(Error cause) {
  log::error("store", "{}", cause.message);
  broken_ = std::move(cause);
  return std::unexpected(*broken_);
}

}  // namespace cape::storage
