#include "core/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

namespace cape::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("cape", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                                                                   spdlog::pattern_time_type::utc));
    return made;
  }();
  return instance;
}

struct Terminal {
  std::mutex mutex;
  LastLine* last_line = nullptr;  // under mutex

  std::unique_lock<std::mutex> make_room() {
    std::unique_lock lock(mutex);
    if (last_line != nullptr) last_line->erase();
    return lock;
  }
};

Terminal& terminal() {
  static Terminal instance;
  return instance;
}

}  // namespace

void set_level(Level least) { logger().set_level(to_spdlog(least)); }

void write(Level level, std::string_view area, std::string_view text) {
  if (!logger().should_log(to_spdlog(level))) return;
  const auto lock = terminal().make_room();
  logger().log(to_spdlog(level), "{}: {}", area, text);
}

void write_plain(std::string_view line) {
  const auto lock = terminal().make_room();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

void set_last_line(LastLine* drawn) {
  const std::lock_guard lock(terminal().mutex);
  terminal().last_line = drawn;
}

std::unique_lock<std::mutex> hold_lines() {
  return std::unique_lock(terminal().mutex);
}

}  // namespace cape::log
