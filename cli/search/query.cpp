#include "cli/search/query.hpp"

namespace cape::cli {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

std::string quoted(std::string_view word) {
  const bool prefix = word.size() > 1 && word.ends_with('*');
  if (prefix) word.remove_suffix(1);
  std::string out = "\"";
  for (const char c : word) {
    if (c == '\0') continue;  // it would end the query
    out += c;
    if (c == '"') out += '"';
  }
  return out + (prefix ? "\"*" : "\"");
}

}  // namespace

std::string fts_query(std::string_view typed) {
  std::string query;
  for (;;) {
    const std::size_t begin = typed.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return query;
    typed.remove_prefix(begin);
    const std::string_view word = typed.substr(0, typed.find_first_of(blanks));
    query += (query.empty() ? "" : " ") + quoted(word);
    typed.remove_prefix(word.size());
  }
}

}  // namespace cape::cli
