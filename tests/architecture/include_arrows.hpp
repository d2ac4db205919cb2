// tests/architecture/include_arrows.hpp
// What each folder may include, in one table, and the check of a file or a tree against it. Arrows run one
// way: {plugin_api, core} -> {wire, storage, scheduler, child} -> {broker, host} -> cli.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cape::architecture {

namespace fs = std::filesystem;

struct Folder {
  std::string_view path;                   // "host/child": the longest matching path owns a file
  std::vector<std::string_view> includes;  // folders it may include besides itself
  bool stands_alone = false;               // may name a neighbour by file name: it builds without our tree
};

std::span<const Folder> folders();

inline constexpr std::size_t source_lines_max = 400;

// `path` is relative to the root. Each mistake is "path:line: what". Files outside of the table's folders may
// include anything.
std::vector<std::string> include_mistakes(std::string_view path, std::string_view text);
std::vector<std::string> length_mistakes(std::string_view path, std::string_view text);

// Both over every C and C++ file below `root`, except build trees and hidden folders; `files_seen` counts
// them.
std::vector<std::string> tree_mistakes(const fs::path& root, std::size_t& files_seen);

}  // namespace cape::architecture
