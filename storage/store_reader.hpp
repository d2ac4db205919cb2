// storage/store_reader.hpp
// StoreReader answers a cursor store's reads on a read-only connection of its own, beside the one that
// writes. Each call sees one committed state. An Error::io names the record that cannot be read. Thread: one
// at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/cursor_store.hpp"
#include "storage/domain_names.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/start_reader.hpp"

namespace cape::storage {

class StoreReader {
public:
  // not_found: there is no store in data_dir yet.
  static Result<std::unique_ptr<StoreReader>> open(const fs::path& data_dir);

  Result<std::uint32_t> epoch();
  Result<std::optional<StoredSubject>> load(std::string_view domain, std::string_view subject);
  Result<std::vector<StoredSubject>> range(std::string_view domain, std::string_view after,
                                           std::string_view upto, std::size_t limit);
  Result<std::vector<StoredSubject>> behind(SubjectId after, std::size_t limit);
  Result<std::vector<InboxRow>> inbox(std::size_t limit, std::string_view after_domain,
                                      std::string_view after_subject);
  Result<std::vector<HostLease>> leases();
  Result<std::vector<PausedTopology>> paused_topologies();
  Result<std::vector<Pin>> pins();
  Result<std::vector<Baseline>> baselines() { return starts_->all(); }
  Result<std::vector<CoverageRow>> coverage();
  Result<std::vector<Replay>> replays();
  Result<std::vector<Canary>> canaries();
  void forget_baselines() { starts_->forget(); }  // another one may have been stored
  Result<std::vector<AuditEntry>> audit(std::string_view topology, std::size_t limit);

private:
  explicit StoreReader(sqlite::Database db) : db_(std::move(db)) {}
  Result<void> prepare();
  Result<std::vector<StoredSubject>> collect(sqlite::Statement& statement);
  Result<StoredSubject> record_of(const sqlite::Statement& row);

  sqlite::Database db_;
  std::optional<DomainNames> domains_;
  std::optional<StartReader> starts_;
  sqlite::Statement load_, range_, range_upto_, behind_, inbox_, leases_, paused_, pins_, audit_, coverage_, replays_,
      canaries_;
};

}  // namespace cape::storage
