#include "core/config/config_json.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cape::config {
namespace {

using nlohmann::json;

struct Converter {
  ConfigMistake mistake;  // the first; empty message: none

  json operator()(const Table& table) {
    json out = json::object();
    for (const Entry& entry : table.entries) out[entry.key] = of(entry.node);
    return out;
  }
  json of(const Node& node) {
    if (const auto* number = node.as<double>(); number && !std::isfinite(*number) && mistake.message.empty())
      mistake = {node.line, "", "inf and nan cannot be given to a plugin: JSON has no such number"};
    return std::visit(*this, node.value);
  }
  json operator()(const Array& array) {
    json out = json::array();
    for (const Node& node : array.items) out.push_back(of(node));
    return out;
  }
  json operator()(const DateTime& moment) { return moment.text; }
  template <class Scalar>
  json operator()(const Scalar& scalar) {
    return scalar;
  }
};

}  // namespace

std::expected<std::string, ConfigMistake> to_json(const Table& table) {
  Converter converter;
  const json value = converter(table);
  if (!converter.mistake.message.empty()) return std::unexpected(converter.mistake);

  // `replace`: the parser has checked UTF-8 already, and dump() would throw otherwise.
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > config_json_bytes_max)
    return std::unexpected(ConfigMistake{
        0, "",
        fmt::format("{} bytes as JSON, at most {} are given to a plugin; put the rest in a file and grant it",
                    text.size(), config_json_bytes_max)});
  return text;
}

}  // namespace cape::config
