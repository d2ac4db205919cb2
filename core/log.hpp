// core/log.hpp
// One line on stderr for a person: `2026-01-31T12:00:00.123Z warning broker: text`. Text that came from a
// plugin or a peer must go through printable() first. Any thread. Never throws, never blocks on a full
// disk. `area` is a folder's name: broker, host, store, child, plugin.
#pragma once

#include <mutex>
#include <string_view>

#include <fmt/format.h>

namespace cape::log {

enum class Level { debug, info, warning, error };

void set_level(Level least);  // default: info
void write(Level level, std::string_view area, std::string_view text);
void write_plain(std::string_view line);  // as it is, without time, level and area

// What somebody has drawn on the terminal's last line, such as the progress of a command. It is erased before
// a line is written over it; its owner draws it again when it likes.
class LastLine {
 public:
  virtual void erase() = 0;  // while no line can be written; may be called when nothing is drawn

 protected:
  ~LastLine() = default;
};
// `drawn` is used until this is called with another one; nullptr: none.
void set_last_line(LastLine* drawn);
// No line is written while the lock is held. Nothing may be logged meanwhile by its holder.
std::unique_lock<std::mutex> hold_lines();

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
