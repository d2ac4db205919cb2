#include "cli/console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/json_text.hpp"
#include "core/types.hpp"

namespace cape::cli {
namespace {

constexpr std::size_t message_bytes_max = 4096;

// Columns on a terminal: code points, near enough for names and paths.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string json_of(const Ending& ending) {
  std::vector<std::pair<std::string, std::string>> fields = ending.fields;
  fields.emplace_back("error", json_object({{"code", json_string(name_of(ending.exit))},
                                            {"exit", std::to_string(static_cast<int>(ending.exit))},
                                            {"message", json_string(ending.message)}}));
  return json_object(fields);
}

void write_line(std::FILE* file, std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), file);
  std::fflush(file);  // whoever reads a pipe gets a line when it is said, not at the end
}

}  // namespace

const char* name_of(Exit exit) {
  switch (exit) {
    case Exit::done:
      return "done";
    case Exit::failed:
      return "failed";
    case Exit::usage:
      return "usage";
    case Exit::behind:
      return "behind";
    case Exit::no_broker:
      return "no_broker";
    case Exit::timed_out:
      return "timed_out";
  }
  return "failed";
}

void say(std::string_view line) {
  write_line(stdout, std::string(line));
}
void say_block(std::string_view lines) {
  std::fwrite(lines.data(), 1, lines.size(), stdout);
}
void note(std::string_view line) {
  write_line(stderr, fmt::format("cape: {}", line));
}

Ending complain(Exit exit, std::string_view message) {
  Ending ending(exit);
  ending.message = message;
  return ending;
}

Ending complain(Exit exit, const Error& error) {
  return complain(exit, printable(error.message, message_bytes_max));
}

std::string shown(std::string_view text) {
  return printable(text, 300);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<std::vector<std::string>> cells = rows;
  for (auto& row : cells) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = shown(row[i]);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - width(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

Ending flush_stdout() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return complain(Exit::failed, fmt::format("the output could not be written: {}", std::strerror(errno)));
}

int finish(const Ending& ending, bool json) {
  if (ending.is_failure() && !ending.message.empty()) note(ending.message);
  if (ending.is_failure() && json) say(json_of(ending));
  const Ending written = flush_stdout();
  if (ending.is_failure() || !written.is_failure()) return static_cast<int>(ending.exit);
  note(written.message);
  return static_cast<int>(written.exit);
}

bool json_wanted(std::span<char* const> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--") return false;
    if (argument == "--json") return true;
  }
  return false;
}

}  // namespace cape::cli
