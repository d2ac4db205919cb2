#include "index.hpp"

#include <cape/utf8.hpp>

namespace search_index {
namespace {

using sqlite_file::Reading;

constexpr std::int64_t schema_version = 1;
constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS text USING fts5(path, body);
)sql";

sqlite_file::Connection open_index(const std::string& path) {
  sqlite_file::Connection connection(path);
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (version > schema_version)
    throw cape::Failure(cape::Outcome::retry(path +
                                             " was written by a newer version of this plugin (schema " +
                                             std::to_string(version) + "); use that version"));
  connection.run("BEGIN IMMEDIATE");
  connection.run(schema);
  connection.run("PRAGMA user_version = 1; COMMIT");
  return connection;
}

std::string words_of(std::string_view path) {
  std::string words;
  while (!path.empty()) {
    const std::size_t length = cape::utf8_length(path);
    if (length == 0)
      words += ' ';
    else
      words.append(path, 0, length);
    path.remove_prefix(length == 0 ? 1 : length);
  }
  return words;
}

}  // namespace

Index::Index(const std::string& path)
    : connection_(open_index(path)),
      find_(connection_, "SELECT id FROM file WHERE path = ?1"),
      add_(connection_, "INSERT INTO file(path) VALUES (?1) RETURNING id"),
      drop_(connection_, "DELETE FROM file WHERE id = ?1"),
      add_text_(connection_, "INSERT INTO text(rowid, path, body) VALUES (?1, ?2, ?3)"),
      drop_text_(connection_, "DELETE FROM text WHERE rowid = ?1") {}

void Index::begin() {
  if (!connection_.in_transaction()) connection_.run("BEGIN IMMEDIATE");
}

std::int64_t Index::find(std::string_view path) {
  const Reading reading(find_);
  return find_.bind_blob(1, path).step() ? find_.integer(0) : 0;
}

void Index::put(std::string_view path, std::string_view body) {
  begin();
  std::int64_t id = find(path);
  if (id == 0) {
    const Reading reading(add_);
    add_.bind_blob(1, path).step();
    id = add_.integer(0);
  } else {
    drop_text_.bind(1, id).run();
  }
  const std::string words = words_of(path);
  add_text_.bind(1, id).bind_text(2, words).bind_text(3, body).run();
}

bool Index::remove(std::string_view path) {
  begin();
  const std::int64_t id = find(path);
  if (id == 0) return false;
  drop_text_.bind(1, id).run();
  drop_.bind(1, id).run();
  return true;
}

void Index::commit() {
  if (connection_.in_transaction()) connection_.run("COMMIT");
}

}  // namespace search_index
