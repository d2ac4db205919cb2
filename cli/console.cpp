#include "cli/console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/types.hpp"

namespace cape::cli {
namespace {

// Columns on a terminal: code points, near enough for names and paths.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

void write_line(std::FILE* file, std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), file);
  std::fflush(file);  // whoever reads a pipe gets a line when it is said, not at the end
}

}  // namespace

void say(std::string_view line) {
  write_line(stdout, std::string(line));
}
void say_block(std::string_view lines) {
  std::fwrite(lines.data(), 1, lines.size(), stdout);
}
void note(std::string_view line) {
  write_line(stderr, fmt::format("cape: {}", line));
}

Exit complain(Exit exit, std::string_view line) {
  note(line);
  return exit;
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

Exit flush_stdout(Exit exit) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit;
  const int saved_errno = errno;
  if (exit != Exit::done) return exit;
  return complain(Exit::failed,
                  fmt::format("the output could not be written: {}", std::strerror(saved_errno)));
}

}  // namespace cape::cli
