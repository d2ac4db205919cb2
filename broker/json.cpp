#include "broker/json.hpp"

#include <nlohmann/json.hpp>

namespace cape::broker {

std::string with_text_member(const std::string& object, std::string_view key, std::string_view value) {
  nlohmann::json parsed = nlohmann::json::parse(object, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) parsed = nlohmann::json::object();
  const std::string name(key);
  if (!parsed.contains(name)) parsed[name] = std::string(value);
  return parsed.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace cape::broker
