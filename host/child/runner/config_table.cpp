#include "host/child/runner/config_table.hpp"

#include <nlohmann/json.hpp>

namespace cape::child {
namespace {

using Json = nlohmann::json;

void flatten(const Json& value, const std::string& key,
             std::map<std::string, std::string, std::less<>>& out) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items())
      flatten(inner, key.empty() ? name : key + "." + name, out);
    return;
  }
  if (value.is_array() || value.is_null()) return;
  out[key] = value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Result<ConfigTable> ConfigTable::parse(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return fail(ErrorCode::invalid, "the plugin's config is not a JSON object");
  ConfigTable table;
  flatten(parsed, "", table.values_);
  return table;
}

const std::string* ConfigTable::find(std::string_view dotted_key) const {
  const auto found = values_.find(dotted_key);
  return found == values_.end() ? nullptr : &found->second;
}

}  // namespace cape::child
