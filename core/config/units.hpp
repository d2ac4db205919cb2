// core/config/units.hpp
// The small texts of a config: "200ms", "512MiB", and the word that was probably meant. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cape::config {

// Digits and a unit, nothing between: ms, s, m, h. nullopt: not that, or above 292 years.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// Digits and a unit: B, KiB, MiB, GiB. nullopt: not that, or above 2^63 - 1.
std::optional<std::int64_t> parse_size_bytes(std::string_view text);

// The largest unit that says it exactly: 300000 -> "5m", 1048576 -> "1MiB".
std::string duration_text(std::int64_t ms);
std::string size_text(std::int64_t bytes);

// The candidate at most two typing slips (insert, drop, change, swap neighbours) and a third of its length
// away from `word`; empty: none.
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace cape::config
