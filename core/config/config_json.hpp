// core/config/config_json.hpp
// A plugin's `config` table as JSON text: what the plugin gets. The only place here that knows nlohmann-json.
#pragma once

#include <expected>
#include <string>

#include "core/config/toml_tree.hpp"

namespace cape::config {

inline constexpr std::size_t config_json_bytes_max = 64u << 10;

// Keys sorted; dates and times as strings. Error: what JSON or the limit forbids, and on which line.
std::expected<std::string, ConfigMistake> to_json(const Table& table);

}  // namespace cape::config
