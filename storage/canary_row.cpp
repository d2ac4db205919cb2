#include "storage/canary_row.hpp"

#include <algorithm>
#include <string>

namespace cape::storage {
namespace {

std::string joined(const std::vector<std::string>& hashes) {
  std::string text;
  for (const std::string& hash : hashes) text += (text.empty() ? "" : " ") + hash;
  return text;
}

std::vector<std::string> parted(std::string_view text) {
  std::vector<std::string> hashes;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) hashes.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return hashes;
}

}  // namespace

Result<void> write_canary(sqlite::Statement& put, const Canary& canary) {
  int place = 0;
  const auto number = [&](auto value) { put.bind(++place, static_cast<std::int64_t>(value)); };
  const std::string rejected = joined(canary.rejected);
  const auto text = [&](std::string_view value) { put.bind_text(++place, value); };
  text(canary.topology), text(canary.lambda);
  text(canary.stable.hash), text(canary.stable.version);
  text(canary.candidate.hash), text(canary.candidate.version);
  number(canary.stable_in_twin), number(canary.share), number(canary.began_wall_ns);
  text(rejected), text(canary.verdict), number(canary.verdict_wall_ns);
  if (const Result<std::int64_t> rows = put.run(); !rows) return std::unexpected(rows.error());
  return {};
}

Result<std::vector<Canary>> read_canaries(sqlite::Statement& read) {
  const sqlite::ResetAtEnd reset{read};
  std::vector<Canary> found;
  while (true) {
    const Result<bool> row = read.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    const auto text = [&](int column) { return std::string(read.text(column)); };
    found.push_back(
        {.topology = text(0),
         .lambda = text(1),
         .stable = {text(2), text(3)},
         .candidate = {text(4), text(5)},
         .stable_in_twin = read.integer(6) != 0,
         .share = static_cast<std::uint32_t>(std::clamp<std::int64_t>(read.integer(7), 0, 10'000)),
         .began_wall_ns = read.integer(8),
         .rejected = parted(read.text(9)),
         .verdict = text(10),
         .verdict_wall_ns = read.integer(11)});
  }
}

}  // namespace cape::storage
