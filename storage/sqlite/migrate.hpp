// storage/sqlite/migrate.hpp
// Brings a database to the newest schema we know: one script per version, all missing ones in one
// transaction. The file says who it belongs to (application_id) and its version (user_version).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/error.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::sqlite {

struct Schema {
  std::string_view name;  // for people: "cursor store"
  std::int32_t application_id = 0;
  std::span<const char* const> versions;  // versions[n] leads from version n to n + 1
};

// invalid: a newer Cape wrote the file, or it is not ours at all. Nothing was changed.
Result<void> migrate(Database& db, const Schema& schema, const fs::path& file);

// For readers. not_found: the file has no schema yet. invalid: as above, or an older version.
Result<void> require_newest(Database& db, const Schema& schema, const fs::path& file);

}  // namespace cape::sqlite
