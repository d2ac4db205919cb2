// core/config/section.hpp
// Section reads one table of the config: each call takes one key, checks its value and leaves the default in
// place when the key is absent. What is wrong is noted and reading goes on, so that all mistakes are told at
// once. finish() reports the keys that nobody took; the keys asked for are those that are known.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/config/toml_tree.hpp"

namespace cape::config {

using Mistakes = std::vector<ConfigMistake>;

// A table that an absent key stands for: empty, so that every default applies.
inline const Table no_table{};

struct Bounds {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

class Section {
 public:
  // `path`: dotted, "" for the whole file; `line`: where the table begins. Borrows all but `path`.
  Section(const Table& table, std::string path, std::uint32_t line, Mistakes& mistakes);

  // The key's entry, if present; the caller checks its value.
  const Entry* take(std::string_view key);
  // The same, and a mistake if absent; `example` is what to write, such as `source = "journal"`.
  const Entry* require(std::string_view key, std::string_view example);

  void flag(std::string_view key, bool& into);
  void number(std::string_view key, double& into, double min, double max);
  void integer(std::string_view key, std::uint32_t& into, Bounds bounds);
  void duration_ms(std::string_view key, std::int64_t& into, Bounds bounds);
  void size(std::string_view key, std::uint64_t& into, Bounds bounds);
  void size(std::string_view key, std::uint32_t& into, Bounds bounds);
  std::optional<std::string> text(std::string_view key);
  // A required name, [a-z][a-z0-9_]*; empty after a mistake.
  std::string name(std::string_view key, std::string_view example);
  // Relative ones are taken from `base`.
  std::optional<fs::path> path(std::string_view key, const fs::path& base);
  std::vector<fs::path> paths(std::string_view key, const fs::path& base);
  std::vector<std::string> texts(std::string_view key);
  // The sub-table, or an empty one: read it as a Section of its own.
  Section table(std::string_view key);

  void finish();

  // Notes a mistake about `key` of this table, at the key's line if it is there.
  void mistake(std::string_view key, std::string message);
  void mistake_at(std::uint32_t line, std::string_view key, std::string message);
  std::string dotted(std::string_view key) const;
  const Table& entries() const { return *table_; }
  std::uint32_t line() const { return line_; }
  Mistakes& mistakes() { return *mistakes_; }

 private:
  // `into` takes integers as they are and strings through `parse`; `text` writes a bound for people.
  struct Scale {
    const char* expected;
    std::optional<std::int64_t> (*parse)(std::string_view);
    std::string (*text)(std::int64_t);
    bool plain_integers;
  };
  std::optional<std::int64_t> scaled(std::string_view key, const Scale& scale, Bounds bounds);
  std::optional<fs::path> path_of(std::string_view key, const Node& node, const fs::path& base);
  void expected(const Entry& entry, std::string_view what);

  const Table* table_;
  std::string path_;
  std::uint32_t line_;
  Mistakes* mistakes_;
  std::vector<std::string> known_;
};

}  // namespace cape::config
