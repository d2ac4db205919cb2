// core/config/toml_tree.hpp
// A TOML file as a plain tree that remembers lines. The only place that knows toml++.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config/config.hpp"

namespace cape::config {

struct Node;
struct Entry;

struct Array {
  std::vector<Node> items;
};
struct Table {
  std::vector<Entry> entries;  // in the order of the file
  const Entry* find(std::string_view key) const;
};
struct DateTime {  // date, time or both, as TOML writes it
  std::string text;
};

struct Node {
  std::uint32_t line = 0;
  std::variant<std::string, std::int64_t, double, bool, DateTime, Array, Table> value;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
};
struct Entry {
  std::string key;
  std::uint32_t line = 0;  // of the key
  Node node;
};

// "a string", "an array", ...: for messages.
const char* kind_of(const Node& node);

// The syntax error, if the text is not TOML, or is nested deeper than any config of ours.
std::expected<Table, ConfigMistake> parse_toml(std::string_view text);

}  // namespace cape::config
