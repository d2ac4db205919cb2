#include "core/config/toml_tree.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/impl/preprocessor.h>
// toml++ 3.3 asserts things of the text, so "[)" ends a debug build, and Clang's optimiser is told that they
// hold in a release build. Behind each assertion stands the check that makes a syntax error of it.
#undef TOML_ASSERT
#define TOML_ASSERT(condition) static_assert(true)
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(condition) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace cape::config {
namespace {

// A name is at most 63 bytes, so a header of ours has a handful of dots. toml++ recurses once per dot of a
// dotted key: without this a file of dots alone would exhaust the stack.
constexpr int dots_in_a_row_max = 64;

template <class T>
std::string text_of(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Node convert(const toml::node& node);

Table convert(const toml::table& table) {
  Table out;
  out.entries.reserve(table.size());
  for (const auto& [key, node] : table)
    out.entries.push_back({std::string(key.str()), key.source().begin.line, convert(node)});
  // toml++ sorts by key; people count and read in the order of the file.
  auto place = [&](const Entry& e) {
    const auto at = table.find(e.key)->first.source().begin;
    return std::pair(at.line, at.column);
  };
  std::ranges::stable_sort(out.entries, {}, place);
  return out;
}

Array convert(const toml::array& array) {
  Array out;
  out.items.reserve(array.size());
  for (const toml::node& node : array) out.items.push_back(convert(node));
  return out;
}

Node convert(const toml::node& node) {
  Node out{.line = node.source().begin.line, .value = false};
  if (const auto* table = node.as_table())
    out.value = convert(*table);
  else if (const auto* array = node.as_array())
    out.value = convert(*array);
  else if (const auto* text = node.as_string())
    out.value = text->get();
  else if (const auto* integer = node.as_integer())
    out.value = integer->get();
  else if (const auto* number = node.as_floating_point())
    out.value = number->get();
  else if (const auto* flag = node.as_boolean())
    out.value = flag->get();
  else if (const auto* date = node.as_date())
    out.value = DateTime{text_of(date->get())};
  else if (const auto* time = node.as_time())
    out.value = DateTime{text_of(time->get())};
  else if (const auto* moment = node.as_date_time())
    out.value = DateTime{text_of(moment->get())};
  return out;
}

// The first line with a dotted key too deep to be ours; 0: none. Dots inside strings may count too: such a
// string would have 64 dots with nothing but a name between each two.
std::uint32_t line_nested_too_deep(std::string_view text) {
  std::uint32_t line = 1;
  int dots = 0;
  for (const char c : text) {
    if (c == '\n') ++line;
    if (c == '.') ++dots;
    if (c == '\n' || c == '=' || c == ',' || c == ']' || c == '#') dots = 0;
    if (dots > dots_in_a_row_max) return line;
  }
  return 0;
}

}  // namespace

const Entry* Table::find(std::string_view key) const {
  const auto it = std::ranges::find(entries, key, &Entry::key);
  return it == entries.end() ? nullptr : &*it;
}

const char* kind_of(const Node& node) {
  static constexpr std::array kinds{"a string",       "an integer", "a number", "true or false",
                                    "a date or time", "an array",   "a table"};
  static_assert(kinds.size() == std::variant_size_v<decltype(Node::value)>);
  return kinds[node.value.index()];
}

std::expected<Table, ConfigMistake> parse_toml(std::string_view text) {
  if (const std::uint32_t line = line_nested_too_deep(text))
    return std::unexpected(
        ConfigMistake{line, "", "a key with more than 64 dots; Cape knows none that deep"});

  const toml::parse_result parsed = toml::parse(text);
  if (parsed.failed()) {
    const toml::parse_error& error = parsed.error();
    return std::unexpected(ConfigMistake{error.source().begin.line, "",
                                         "not valid TOML: " + printable(error.description(), 512)});
  }
  return convert(parsed.table());
}

}  // namespace cape::config
