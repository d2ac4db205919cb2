// cli/answer.hpp
// Commands' answers are JSON text, from the broker or from the stores. Here they become what is printed: as
// they are for --json, else as lines and tables. A missing, null or empty value is shown as "-"; lists and
// objects in a cell as their values, whatever they are: the peer may be newer than we are.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cape::cli {

struct Column {
  std::string_view heading;
  std::string_view key;  // of the row's object; "key.key": of an object inside
};

// The field `key` of the object `json` as text.
std::string field_text(std::string_view json, std::string_view key);

// The list of objects `list_key` of the object `json` as a table, one row an object; empty without any.
std::string list_table(std::string_view json, std::string_view list_key, std::span<const Column> columns);

// The same with one row for each object of `inner_key` in each object of `list_key`; a column that the inner
// one lacks is taken from the outer.
std::string nested_table(std::string_view json, std::string_view list_key, std::string_view inner_key,
                         std::span<const Column> columns);

// Every field of the object `json` that is no list, one "key  value" line each; objects inside as key.key.
std::string fields_table(std::string_view json);

// The object on one line, non-ASCII and control characters escaped: safe on a terminal. Empty: not an object.
std::string one_line(std::string_view json);

}  // namespace cape::cli
