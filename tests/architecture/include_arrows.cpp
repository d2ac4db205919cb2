#include "tests/architecture/include_arrows.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>

namespace cape::architecture {
namespace {

// Top to bottom; an entry names only what stands above it, so there can be no circle.
const std::array<Folder, 12> table{{
    {"plugin_api", {}},
    {"core", {}},
    {"wire", {"core"}},
    {"wire/ping_library", {"plugin_api", "core", "wire"}},
    {"storage", {"core"}},
    {"broker/scheduler", {"core", "wire", "storage"}},  // for their plain values: it is pure
    {"host/child", {"plugin_api", "core", "wire"}},
    {"broker", {"core", "wire", "storage", "broker/scheduler", "host/child"}},  // of host/, child alone
    {"host/check", {"plugin_api", "core", "wire", "host/child"}},
    {"host/worker", {"core", "wire", "host/child"}},
    {"plugins", {"plugin_api"}, true},  // built as anybody else builds theirs
    {"cli", {"core", "wire", "storage", "host/child", "broker/scheduler", "broker", "host/worker", "host/check"}},
}};

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const Folder* folder_of(std::string_view path) {
  const Folder* found = nullptr;
  for (const Folder& folder : table)
    if (is_below(path, folder.path) && (!found || folder.path.size() > found->path.size())) found = &folder;
  return found;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

struct Include {
  std::string_view path;
  bool quoted = false;
};

std::optional<Include> include_of(std::string_view line) {
  line = trimmed(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = trimmed(line.substr(1));
  if (!line.starts_with("include")) return std::nullopt;
  line = trimmed(line.substr(7));
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const bool quoted = line[0] == '"';
  const std::size_t end = line.find(quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{.path = line.substr(1, end - 1), .quoted = quoted};
}

// Which of our folders a header lies in; empty: none of ours, or a mistake if quoted.
std::string_view target_of(const Include& include) {
  if (include.path.starts_with("cape/")) return "plugin_api";
  const Folder* folder = folder_of(include.path);
  return folder ? folder->path : std::string_view();
}

std::string mistake_in(const Folder& from, const Include& include) {
  const std::string_view target = target_of(include);
  const std::string name(include.path);
  if (include.quoted && from.stands_alone && !include.path.contains('/')) return "";
  if (target.empty())
    return include.quoted
               ? "\"" + name + "\" does not start with a folder of ours; write the path from the root"
               : "";
  if (target == from.path || std::ranges::find(from.includes, target) != from.includes.end()) return "";
  return std::string(from.path) + " may not include " + std::string(target) + ": \"" + name + "\"";
}

template <class PerLine>
std::size_t for_each_line(std::string_view text, PerLine per_line) {
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    per_line(++number, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return number;
}

bool is_source(const fs::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".cpp" || extension == ".hpp" || extension == ".c" || extension == ".h";
}

bool is_left_out(const fs::path& directory) {
  const std::string name = directory.filename().string();
  return name.starts_with('.') || name == "build";
}

}  // namespace

std::span<const Folder> folders() {
  return table;
}

std::vector<std::string> include_mistakes(std::string_view path, std::string_view text) {
  std::vector<std::string> mistakes;
  const Folder* from = folder_of(path);
  if (!from) return mistakes;
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    const auto include = include_of(line);
    if (!include) return;
    if (const std::string mistake = mistake_in(*from, *include); !mistake.empty())
      mistakes.push_back(std::string(path) + ":" + std::to_string(number) + ": " + mistake);
  });
  return mistakes;
}

std::vector<std::string> length_mistakes(std::string_view path, std::string_view text) {
  const std::size_t lines = for_each_line(text, [](std::size_t, std::string_view) {});
  if (lines <= source_lines_max) return {};
  return {std::string(path) + ":" + std::to_string(lines) + ": more than " +
          std::to_string(source_lines_max) + " lines; split it by idea"};
}

std::vector<std::string> tree_mistakes(const fs::path& root, std::size_t& files_seen) {
  std::vector<std::string> mistakes;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
    if (it->is_directory() && is_left_out(it->path())) it.disable_recursion_pending();
    if (!it->is_regular_file() || !is_source(it->path())) continue;
    ++files_seen;
    std::ifstream file(it->path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string path = it->path().lexically_relative(root).generic_string();
    std::ranges::move(include_mistakes(path, text), std::back_inserter(mistakes));
    std::ranges::move(length_mistakes(path, text), std::back_inserter(mistakes));
  }
  std::ranges::sort(mistakes);
  return mistakes;
}

}  // namespace cape::architecture
