// storage/domain_names.hpp
// DomainNames turns domain names into the small integers of table `domain` and back, and remembers what it
// found. Borrows the connection, which must outlive it. Thread: the connection's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::storage {

class DomainNames {
public:
  static Result<DomainNames> open(sqlite::Database& db);

  Result<std::optional<std::int64_t>> find(std::string_view name);
  // Requires: a write transaction is open. Call forget() if it rolls back.
  Result<std::int64_t> find_or_add(std::string_view name);
  Result<std::string> name_of(std::int64_t id);
  void forget();

private:
  DomainNames() = default;
  sqlite::Statement select_id_, select_name_, insert_;
  std::map<std::string, std::int64_t, std::less<>> ids_;
  std::map<std::int64_t, std::string> names_;
};

}  // namespace cape::storage
