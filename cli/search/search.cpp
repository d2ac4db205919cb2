#include "cli/search/search.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/sqlite/database.hpp"

namespace cape::cli {
namespace {

constexpr std::int32_t busy_ms = 2'000;
constexpr std::int64_t index_version = 1;  // as plugins/search_index writes it

// A word in a path counts twice as much as one in a text.
constexpr const char* find_matches =
    "SELECT file.path, snippet(text, 1, '[', ']', '...', 12) FROM text JOIN file ON file.id = text.rowid "
    "WHERE text MATCH ?1 ORDER BY bm25(text, 2.0, 1.0), file.path LIMIT ?2";

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!blank)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

Result<void> check_version(sqlite::Database& db, const fs::path& index) {
  const auto version = db.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version == index_version) return {};
  return fail(
      ErrorCode::invalid,
      fmt::format(
          "{} has version {}, this cape-search reads {}; use the cape-search that came with its plugin",
          index.string(), *version, index_version));
}

}  // namespace

Result<std::vector<Match>> search(const fs::path& index, const std::string& query, std::int64_t limit) {
  std::error_code unreadable;
  if (!fs::exists(index, unreadable) && !unreadable)
    return fail(ErrorCode::not_found,
                fmt::format("there is no index yet at {}; start `cape up` and let it index the files",
                            index.string()));
  auto db = sqlite::Database::open(index, sqlite::Access::read, busy_ms);
  if (!db) return std::unexpected(db.error());
  if (auto known = check_version(*db, index); !known) return std::unexpected(known.error());
  auto statement = db->prepare(find_matches);
  if (!statement) return std::unexpected(statement.error());
  statement->bind_text(1, query);
  statement->bind(2, limit);
  std::vector<Match> matches;
  for (;;) {
    const auto row = statement->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return matches;
    matches.push_back({std::string(statement->blob(0)), on_one_line(statement->text(1))});
  }
}

}  // namespace cape::cli
