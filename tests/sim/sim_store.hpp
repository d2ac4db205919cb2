// tests/sim/sim_store.hpp
// SimStore is the simulated store of one life of the broker: it commits group after group, late, and now and
// then fails before it has committed or after. What it holds is the simulation's, and outlives it. Reads are
// asked of it by replays alone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "storage/cursor_store.hpp"
#include "tests/sim/fate.hpp"

namespace cape::sim {

struct StoreMet {
  std::uint64_t failed = 0,
                unanswered = 0;  // groups; unanswered: that were committed and told to have failed
};

class SimStore final : public storage::CursorStore {
 public:
  using Commit = std::function<void(const storage::WriteBatch&)>;
  struct Reads {
    std::function<SubjectId()> new_subject_id;
    std::function<std::vector<storage::StoredSubject>(std::string_view domain, std::string_view after,
                                                      std::size_t limit)>
        range;
  };
  // `wake`: poll() has something.
  SimStore(Fate& fate, std::uint32_t epoch, StoreMet& met, Commit commit, std::function<void()> wake,
           Reads reads);

  storage::Ticket submit(storage::WriteBatch batch) override;
  std::vector<storage::CommitDone> poll() override { return std::exchange(done_, {}); }

  std::uint32_t epoch() const override { return epoch_; }
  SubjectId new_subject_id() override { return reads_.new_subject_id(); }
  Result<std::optional<storage::StoredSubject>> load(std::string_view, std::string_view) override {
    return std::nullopt;
  }
  Result<std::vector<storage::StoredSubject>> range(std::string_view domain, std::string_view after,
                                                    std::string_view, std::size_t limit) override {
    return reads_.range(domain, after, limit);
  }
  Result<std::vector<storage::StoredSubject>> behind(SubjectId, std::size_t) override {
    return std::vector<storage::StoredSubject>();
  }
  Result<std::vector<storage::InboxRow>> inbox(std::size_t, std::string_view, std::string_view) override {
    return std::vector<storage::InboxRow>();
  }
  Result<std::vector<storage::HostLease>> leases() override { return std::vector<storage::HostLease>(); }
  Result<std::vector<storage::PausedTopology>> paused_topologies() override {
    return std::vector<storage::PausedTopology>();
  }
  Result<std::vector<storage::Pin>> pins() override { return std::vector<storage::Pin>(); }
  Result<std::vector<storage::Baseline>> baselines() override { return std::vector<storage::Baseline>(); }
  Result<std::vector<storage::CoverageRow>> coverage() override {
    return std::vector<storage::CoverageRow>();
  }
  Result<std::vector<storage::Replay>> replays() override { return std::vector<storage::Replay>(); }
  Result<std::vector<storage::Canary>> canaries() override { return std::vector<storage::Canary>(); }
  Result<std::vector<storage::AuditEntry>> audit(std::string_view, std::size_t) override {
    return std::vector<storage::AuditEntry>();
  }
  int fd() const override { return -1; }
  std::size_t queued_rows() const override { return groups_.size(); }

 private:
  struct Group {
    storage::Ticket ticket = 0;
    storage::WriteBatch batch;
  };
  void begin_next();
  void end_first(bool fails, bool commits);

  Fate& fate_;
  std::uint32_t epoch_;
  StoreMet& met_;
  Commit commit_;
  std::function<void()> wake_;
  Reads reads_;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);
  std::deque<Group> groups_;  // the first is being written
  std::vector<storage::CommitDone> done_;
  storage::Ticket last_ = 0;
};

}  // namespace cape::sim
