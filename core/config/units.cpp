#include "core/config/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <fmt/format.h>

namespace cape::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array duration_units{Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}, Unit{"ms", 1}};
constexpr std::array size_units{Unit{"GiB", 1 << 30}, Unit{"MiB", 1 << 20}, Unit{"KiB", 1 << 10},
                                Unit{"B", 1}};

std::optional<std::int64_t> parse_with(std::span<const Unit> units, std::string_view text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{}) return std::nullopt;

  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto unit = std::ranges::find(units, name, &Unit::name);
  std::int64_t product = 0;
  if (unit == units.end() || __builtin_mul_overflow(count, unit->factor, &product)) return std::nullopt;
  return product;
}

std::string text_with(std::span<const Unit> units, std::int64_t value) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  return fmt::format("{}{}", value, units.back().name);
}

// Optimal string alignment distance, by rows.
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_back(b.size() + 1), back(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) back[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = back[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({back[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_back[j - 2] + 1);
    }
    two_back.swap(back);
    back.swap(row);
  }
  return back[b.size()];
}

}  // namespace

std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
  return parse_with(duration_units, text);
}
std::optional<std::int64_t> parse_size_bytes(std::string_view text) {
  return parse_with(size_units, text);
}
std::string duration_text(std::int64_t ms) {
  return text_with(duration_units, ms);
}
std::string size_text(std::int64_t bytes) {
  return text_with(size_units, bytes);
}

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t best_slips = 3;
  for (const std::string& candidate : candidates) {
    const std::size_t found = slips(word, candidate);
    if (found >= best_slips || found > std::max<std::size_t>(1, candidate.size() / 3)) continue;
    best = candidate;
    best_slips = found;
  }
  return best;
}

}  // namespace cape::config
