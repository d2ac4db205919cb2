#include "storage/domain_names.hpp"

#include <fmt/format.h>

namespace cape::storage {

Result<DomainNames> DomainNames::open(sqlite::Database& db) {
  DomainNames names;
  Result<sqlite::Statement> id = db.prepare("SELECT id FROM domain WHERE name = ?1");
  if (!id) return std::unexpected(id.error());
  Result<sqlite::Statement> name = db.prepare("SELECT name FROM domain WHERE id = ?1");
  if (!name) return std::unexpected(name.error());
  Result<sqlite::Statement> insert = db.prepare("INSERT INTO domain(name) VALUES (?1) RETURNING id");
  if (!insert) return std::unexpected(insert.error());
  names.select_id_ = std::move(*id);
  names.select_name_ = std::move(*name);
  names.insert_ = std::move(*insert);
  return names;
}

Result<std::optional<std::int64_t>> DomainNames::find(std::string_view name) {
  if (const auto known = ids_.find(name); known != ids_.end()) return known->second;
  const sqlite::ResetAtEnd reset{select_id_};
  select_id_.bind_text(1, name);
  const Result<bool> row = select_id_.step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return ids_.emplace(name, select_id_.integer(0)).first->second;
}

Result<std::int64_t> DomainNames::find_or_add(std::string_view name) {
  const Result<std::optional<std::int64_t>> known = find(name);
  if (!known) return std::unexpected(known.error());
  if (*known) return **known;
  const sqlite::ResetAtEnd reset{insert_};
  insert_.bind_text(1, name);
  const Result<bool> row = insert_.step();
  if (!row) return std::unexpected(row.error());
  return ids_.emplace(name, insert_.integer(0)).first->second;
}

Result<std::string> DomainNames::name_of(std::int64_t id) {
  if (const auto known = names_.find(id); known != names_.end()) return known->second;
  const sqlite::ResetAtEnd reset{select_name_};
  select_name_.bind(1, id);
  const Result<bool> row = select_name_.step();
  if (!row) return std::unexpected(row.error());
  if (!*row)
    return fail(
        ErrorCode::io,
        fmt::format(
            "a record names domain {}, which is not stored: the store is damaged; restore it from a backup",
            id));
  return names_.emplace(id, select_name_.text(0)).first->second;
}

void DomainNames::forget() {
  ids_.clear();
  names_.clear();
}

}  // namespace cape::storage
