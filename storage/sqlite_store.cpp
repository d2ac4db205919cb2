// The cursor store over SQLite: reads and writes put together. It decides nothing.
#include <utility>

#include "storage/commit_thread.hpp"
#include "storage/cursor_store.hpp"
#include "storage/group_writer.hpp"
#include "storage/store_reader.hpp"

namespace cape::storage {
namespace {

class ReadOnlyStore : public CursorStore {
public:
  ReadOnlyStore(std::unique_ptr<StoreReader> reader, std::uint32_t epoch)
      : reader_(std::move(reader)), epoch_(epoch) {}

  std::uint32_t epoch() const override { return epoch_; }
  Result<std::optional<StoredSubject>> load(std::string_view domain, std::string_view subject) override {
    return reader_->load(domain, subject);
  }
  Result<std::vector<StoredSubject>> range(std::string_view domain, std::string_view after,
                                           std::string_view upto, std::size_t limit) override {
    return reader_->range(domain, after, upto, limit);
  }
  Result<std::vector<StoredSubject>> behind(SubjectId after, std::size_t limit) override {
    return reader_->behind(after, limit);
  }
  Result<std::vector<InboxRow>> inbox(std::size_t limit, std::string_view after_domain,
                                      std::string_view after_subject) override {
    return reader_->inbox(limit, after_domain, after_subject);
  }
  Result<std::vector<HostLease>> leases() override { return reader_->leases(); }
  Result<std::vector<PausedTopology>> paused_topologies() override { return reader_->paused_topologies(); }
  Result<std::vector<Pin>> pins() override { return reader_->pins(); }
  Result<std::vector<Baseline>> baselines() override { return reader_->baselines(); }
  Result<std::vector<CoverageRow>> coverage() override { return reader_->coverage(); }
  Result<std::vector<Replay>> replays() override { return reader_->replays(); }
  Result<std::vector<Canary>> canaries() override { return reader_->canaries(); }
  Result<std::vector<AuditEntry>> audit(std::string_view topology, std::size_t limit) override {
    return reader_->audit(topology, limit);
  }

  SubjectId new_subject_id() override { check_failed("read-only store", __FILE__, __LINE__); }
  Ticket submit(WriteBatch) override { check_failed("read-only store", __FILE__, __LINE__); }
  std::vector<CommitDone> poll() override { return {}; }
  int fd() const override { return -1; }
  std::size_t queued_rows() const override { return 0; }

protected:
  void close_reader() { reader_.reset(); }
  void forget_baselines() { reader_->forget_baselines(); }

 private:
  std::unique_ptr<StoreReader> reader_;
  std::uint32_t epoch_;
};

class SqliteStore final : public ReadOnlyStore {
public:
  SqliteStore(std::unique_ptr<StoreReader> reader, std::uint32_t epoch, SubjectId highest_id,
              std::unique_ptr<CommitThread> commits)
      : ReadOnlyStore(std::move(reader), epoch), last_id_(highest_id), commits_(std::move(commits)) {}

  // The writer closes last: it alone can copy the log back and take it away.
  ~SqliteStore() override { close_reader(); }

  SubjectId new_subject_id() override { return ++last_id_; }
  Ticket submit(WriteBatch batch) override {
    const bool has_baseline = !batch.baselines.empty();
    const Ticket ticket = commits_->submit(std::move(batch));
    if (has_baseline) baseline_out_ = ticket;
    return ticket;
  }
  std::vector<CommitDone> poll() override {
    std::vector<CommitDone> done = commits_->poll();
    if (baseline_out_ == 0 || done.empty()) return done;
    forget_baselines();
    if (done.back().ticket >= baseline_out_) baseline_out_ = 0;
    return done;
  }
  int fd() const override { return commits_->fd(); }
  std::size_t queued_rows() const override { return commits_->queued_rows(); }

private:
 Ticket baseline_out_ = 0;  // the last batch with one that is not done; 0: none
 SubjectId last_id_;
 std::unique_ptr<CommitThread> commits_;
};

}  // namespace

Result<std::unique_ptr<CursorStore>> open_sqlite_store(const fs::path& data_dir) {
  Result<std::unique_ptr<GroupWriter>> writer = GroupWriter::open(data_dir);
  if (!writer) return std::unexpected(writer.error());
  const std::uint32_t epoch = (*writer)->epoch();
  const SubjectId highest_id = (*writer)->highest_id();
  Result<std::unique_ptr<StoreReader>> reader = StoreReader::open(data_dir);
  if (!reader) return std::unexpected(reader.error());
  Result<std::unique_ptr<CommitThread>> commits = CommitThread::start(std::move(*writer));
  if (!commits) return std::unexpected(commits.error());
  return std::make_unique<SqliteStore>(std::move(*reader), epoch, highest_id, std::move(*commits));
}

Result<std::unique_ptr<CursorStore>> open_sqlite_store_read_only(const fs::path& data_dir) {
  Result<std::unique_ptr<StoreReader>> reader = StoreReader::open(data_dir);
  if (!reader) return std::unexpected(reader.error());
  const Result<std::uint32_t> epoch = (*reader)->epoch();
  if (!epoch) return std::unexpected(epoch.error());
  return std::make_unique<ReadOnlyStore>(std::move(*reader), *epoch);
}

}  // namespace cape::storage
