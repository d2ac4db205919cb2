// storage/start_reader.hpp
// StartReader reads where topologies begin that have no record of a subject yet, as baselines fixed it, and
// puts it beside the records. It remembers which baselines there are, so that a domain without one costs
// nothing. Borrows the connection and the names, which must outlive it. Thread: the connection's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "storage/cursor_store.hpp"
#include "storage/domain_names.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::storage {

class StartReader {
 public:
  static Result<StartReader> open(sqlite::Database& db, DomainNames& domains);

  Result<std::vector<Baseline>> all();
  void forget() { known_.reset(); }  // another one may have been stored

  // Adds the starts of topologies that the record does not have.
  Result<void> add_to(std::int64_t domain_id, StoredSubject& record);
  // Of a subject without a record; nullopt: no baseline knows it.
  Result<std::optional<StoredSubject>> without_record(std::int64_t domain_id, std::string_view domain,
                                                      std::string_view subject);
  struct Range {
    std::int64_t domain_id = 0;
    std::string_view domain, after, upto;  // an empty upto: no end
    std::size_t limit = 0;
  };
  // The records of a range with their starts, and subjects without a record between them: the first `limit`.
  Result<std::vector<StoredSubject>> merged_with(std::vector<StoredSubject> records, const Range& range);

 private:
  struct Known {
    std::int64_t domain_id = 0;
    Baseline baseline;
  };
  StartReader() = default;
  Result<void> know();
  Result<std::optional<Sequence>> latest_of(const Baseline& baseline, std::string_view subject);
  Result<void> merge(const Baseline& baseline, const Range& range, std::vector<StoredSubject>& subjects);

  DomainNames* domains_ = nullptr;
  sqlite::Statement all_, topologies_, one_, page_;
  std::optional<std::vector<Known>> known_;
};

}  // namespace cape::storage
