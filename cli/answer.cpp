#include "cli/answer.hpp"

#include <nlohmann/json.hpp>

#include "cli/console.hpp"
#include "cli/json_dump.hpp"

namespace cape::cli {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

Json parse(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

std::string joined(const Json& values, std::string_view separator);

// "write:audit_log", or "write:audit_log (circuit open)".
std::string text_of_lambda(const Json& lambda) {
  const std::string text = lambda.value("lambda", "") + ":" + lambda.value("plugin", "");
  return lambda.value("circuit", "") == "open" ? text + " (circuit open)" : text;
}

std::string text_of(const Json& value) {
  if (value.is_null() || value.empty()) return "-";
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "-" : value.get<std::string>();
  if (value.is_array()) return joined(value, ", ");
  if (value.is_object()) return value.contains("lambda") ? text_of_lambda(value) : joined(value, ":");
  return dump(value);
}

std::string joined(const Json& values, std::string_view separator) {
  std::string text;
  for (const Json& item : values) text.append(text.empty() ? "" : separator).append(text_of(item));
  return text;
}

std::string text_of_field(const Json& object, std::string_view key) {
  const std::size_t dot = key.find('.');
  const auto found = object.find(std::string(key.substr(0, dot)));
  if (found == object.end()) return "-";
  return dot == std::string_view::npos ? text_of(*found) : text_of_field(*found, key.substr(dot + 1));
}

Json list_of(const Json& object, std::string_view key) {
  const auto found = object.find(std::string(key));
  return found != object.end() && found->is_array() ? *found : Json::array();
}

Rows heading(std::span<const Column> columns) {
  Rows rows(1);
  for (const Column& column : columns) rows[0].emplace_back(column.heading);
  return rows;
}

void add_fields(const Json& object, const std::string& prefix, Rows& rows) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object())
      add_fields(value, prefix + key + ".", rows);
    else if (!value.is_array())
      rows.push_back({prefix + key, text_of(value)});
  }
}

}  // namespace

std::string field_text(std::string_view json, std::string_view key) {
  return text_of_field(parse(json), key);
}

std::string list_table(std::string_view json, std::string_view list_key, std::span<const Column> columns) {
  const Json object = parse(json);
  Rows rows = heading(columns);
  for (const Json& item : list_of(object, list_key)) {
    auto& row = rows.emplace_back();
    for (const Column& column : columns) row.push_back(text_of_field(item, column.key));
  }
  return rows.size() == 1 ? std::string() : table(rows);
}

std::string nested_table(std::string_view json, std::string_view list_key, std::string_view inner_key,
                         std::span<const Column> columns) {
  const Json object = parse(json);
  Rows rows = heading(columns);
  for (const Json& outer : list_of(object, list_key)) {
    for (const Json& inner : list_of(outer, inner_key)) {
      auto& row = rows.emplace_back();
      for (const Column& column : columns)
        row.push_back(text_of_field(inner.contains(std::string(column.key)) ? inner : outer, column.key));
    }
  }
  return rows.size() == 1 ? std::string() : table(rows);
}

std::string fields_table(std::string_view json) {
  Rows rows;
  if (const Json object = parse(json); object.is_object()) add_fields(object, "", rows);
  return table(rows);
}

std::string one_line(std::string_view json) {
  const Json object = parse(json);
  return object.is_object() ? dump(object) : std::string();
}

}  // namespace cape::cli
