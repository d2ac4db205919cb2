// tests/core/config_text.hpp
// Configs as text, as if they stood in /etc/cape/cape.toml.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/config/config.hpp"

namespace cape::test {

inline constexpr const char* config_file = "/etc/cape/cape.toml";

inline Config good(std::string_view text) {
  auto config = parse_config(text, config_file);
  if (!config) {
    ADD_FAILURE() << to_text(config.error(), config_file);
    return {};
  }
  return *std::move(config);
}

// "LINE KEY: MESSAGE" of each mistake.
inline std::vector<std::string> mistakes_of(std::string_view text) {
  std::vector<std::string> out;
  const auto config = parse_config(text, config_file);
  if (config) return out;
  for (const ConfigMistake& mistake : config.error())
    out.push_back(std::to_string(mistake.line) + " " + mistake.key + ": " + mistake.message);
  return out;
}

}  // namespace cape::test
