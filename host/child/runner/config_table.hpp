// The scalars of a plugin's config by dotted key, as text: what cape_host.config_get answers from.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace cape::child {

class ConfigTable {
 public:
  // Error::invalid: `json` is not an object.
  static Result<ConfigTable> parse(std::string_view json);
  // Null: no such key, or it is a table or an array.
  const std::string* find(std::string_view dotted_key) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace cape::child
