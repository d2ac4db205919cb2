// core/log.hpp
// One line on stderr for a person: `2026-01-31T12:00:00.123Z warning broker: text`. Text that came from a
// plugin or a peer must go through printable() first. Any thread. Never throws, never blocks on a full
// disk. `area` is a folder's name: broker, host, store, child, plugin.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace cape::log {

enum class Level { debug, info, warning, error };

void set_level(Level least);  // default: info
void write(Level level, std::string_view area, std::string_view text);

template <class... Args>
void info(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, area, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, area, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, area, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, area, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace cape::log
