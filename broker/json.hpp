// broker/json.hpp
// The few things the broker does with JSON, behind one thin source file.
#pragma once

#include <string>
#include <string_view>

namespace cape::broker {

inline constexpr std::string_view journal_source = "journal";

// `object` (JSON text of an object) with member `key` set to the text `value`, unless it has one already.
std::string with_text_member(const std::string& object, std::string_view key, std::string_view value);

}  // namespace cape::broker
