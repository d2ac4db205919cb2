#include "storage/sqlite/migrate.hpp"

#include <fmt/format.h>

namespace cape::sqlite {
namespace {

struct Found {
  std::int64_t version = 0;
  bool is_new = false;  // nothing in it
};

Result<Found> look(Database& db, const Schema& schema, const fs::path& file) {
  const Result<std::int64_t> version = db.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  const Result<std::int64_t> owner = db.integer("PRAGMA application_id");
  if (!owner) return std::unexpected(owner.error());
  const Result<std::int64_t> tables = db.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());

  if (*owner == 0 && *tables == 0) return Found{.version = 0, .is_new = true};
  if (*owner != schema.application_id) {
    return fail(
        ErrorCode::invalid,
        fmt::format("{} is a database, but not a {} of Cape: move it away, or choose another data_dir",
                    file.string(), schema.name));
  }
  const auto newest = static_cast<std::int64_t>(schema.versions.size());
  if (*version > newest) {
    return fail(
        ErrorCode::invalid,
        fmt::format(
            "{} was written by a newer Cape ({} version {}, this one knows {}): start that Cape again",
            file.string(), schema.name, *version, newest));
  }
  return Found{.version = *version};
}

}  // namespace

Result<void> migrate(Database& db, const Schema& schema, const fs::path& file) {
  const auto newest = static_cast<std::int64_t>(schema.versions.size());
  // Without the lock this is a first look alone: another program may commit the schema between two of its reads,
  // which then seems to be somebody else's. Only what is seen under the lock is an error.
  Result<Found> found = look(db, schema, file);
  if (found && found->version == newest) return {};

  Result<Transaction> transaction = Transaction::begin(db);
  if (!transaction) return std::unexpected(transaction.error());
  found = look(db, schema, file);
  if (!found) return std::unexpected(found.error());
  for (std::int64_t version = found->version; version < newest; ++version) {
    const Result<void> done = db.execute(schema.versions[static_cast<std::size_t>(version)]);
    if (!done) return done;
  }
  const std::string stamp =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", schema.application_id, newest);
  if (const Result<void> done = db.execute(stamp.c_str()); !done) return done;
  return transaction->commit();
}

Result<void> require_newest(Database& db, const Schema& schema, const fs::path& file) {
  const Result<Found> found = look(db, schema, file);
  if (!found) return std::unexpected(found.error());
  if (found->is_new)
    return fail(ErrorCode::not_found, fmt::format("{} is still empty: run `cape up` first", file.string()));
  if (found->version == static_cast<std::int64_t>(schema.versions.size())) return {};
  return fail(ErrorCode::invalid,
              fmt::format("{} was written by an older Cape ({} version {}): `cape up` brings it up to date",
                          file.string(), schema.name, found->version));
}

}  // namespace cape::sqlite
