// tests/fakes/memory_store.hpp
// MemoryStore is a cursor store that a test fills by hand: what is put into it can be read at once. It takes
// no writes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "storage/cursor_store.hpp"

namespace cape::test {

class MemoryStore : public storage::CursorStore {
 public:
  std::map<std::pair<std::string, std::string>, storage::StoredSubject> records;  // by domain and subject
  std::vector<storage::PausedTopology> paused;

  void put(const std::string& domain, const std::string& subject, storage::CursorInfo info,
           bool behind = false) {
    auto& record = records[{domain, subject}];
    if (record.id == 0) record.id = new_subject_id();
    record.domain = domain;
    record.subject = subject;
    record.behind = behind;
    record.info = std::move(info);
  }

  std::uint32_t epoch() const override { return 1; }
  SubjectId new_subject_id() override { return ++last_id_; }
  Result<std::optional<storage::StoredSubject>> load(std::string_view domain,
                                                     std::string_view subject) override {
    const auto at = records.find({std::string(domain), std::string(subject)});
    return at == records.end() ? std::nullopt : std::optional(at->second);
  }
  Result<std::vector<storage::StoredSubject>> range(std::string_view, std::string_view, std::string_view,
                                                    std::size_t) override {
    return std::vector<storage::StoredSubject>();
  }
  Result<std::vector<storage::StoredSubject>> behind(SubjectId after, std::size_t limit) override {
    std::map<SubjectId, storage::StoredSubject> by_id;
    for (const auto& [name, record] : records)
      if (record.behind && record.id > after) by_id.emplace(record.id, record);
    std::vector<storage::StoredSubject> found;
    for (auto& [id, record] : by_id)
      if (found.size() < limit) found.push_back(std::move(record));
    return found;
  }
  Result<std::vector<storage::InboxRow>> inbox(std::size_t, std::string_view, std::string_view) override {
    return std::vector<storage::InboxRow>();
  }
  Result<std::vector<storage::HostLease>> leases() override { return std::vector<storage::HostLease>(); }
  Result<std::vector<storage::PausedTopology>> paused_topologies() override { return paused; }
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
  storage::Ticket submit(storage::WriteBatch) override {
    check_failed("a store without writes", __FILE__, __LINE__);
  }
  std::vector<storage::CommitDone> poll() override { return {}; }
  int fd() const override { return -1; }
  std::size_t queued_rows() const override { return 0; }

 private:
  SubjectId last_id_ = 0;
};

}  // namespace cape::test
