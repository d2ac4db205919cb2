// cape/config.hpp - the operator's config of one plugin, read by dotted key.
//
//   config = { url = "http://…", retry = { max = 3 } }      in cape.toml
//   config.require<std::string>("url")                      ConfigError without it
//   config.get("retry.max", 5)                              5 without it; ConfigError if it is no int
//   config.find<bool>("sync")                               std::optional
//
// Scalars only; an array or a table is read from json() with a JSON parser of your choice.
// Types: std::string, std::string_view, bool, double, float and every integer type.
// Thread: any. Copies are cheap and stay valid until the plugin's destructor returns, json() until its
// constructor does.
#ifndef CAPE_CONFIG_HPP
#define CAPE_CONFIG_HPP

#include <cape/plugin.h>
#include <cape/outcome.hpp>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace cape {
inline namespace plugin_v1 {

class Config {
 public:
  Config(const cape_host* host, cape_bytes json) : host_(host), json_(json) {}

  template <class T>
  std::optional<T> find(std::string_view key) const {
    const std::optional<std::string_view> text = scalar(key);
    if (!text) return std::nullopt;
    return parse<T>(key, *text);
  }

  template <class T>
  T get(std::string_view key, T fallback) const {
    const std::optional<T> value = find<T>(key);
    return value ? *value : fallback;
  }
  std::string get(std::string_view key, const char* fallback) const {
    return get<std::string>(key, std::string(fallback));
  }

  template <class T>
  T require(std::string_view key) const {
    const std::optional<T> value = find<T>(key);
    if (!value)
      throw ConfigError("config key " + quoted(key) + " is missing: set it in this plugin's config table");
    return *value;
  }

  // The whole table as UTF-8 JSON.
  std::string_view json() const { return text_of(json_); }

 private:
  static std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

  [[noreturn]] static void refuse(std::string_view key, std::string_view text, const std::string& expected) {
    throw ConfigError("config key " + quoted(key) + " must be " + expected + ", not " + quoted(text));
  }

  std::optional<std::string_view> scalar(std::string_view key) const {
    cape_bytes value = {nullptr, 0};
    if (host_->config_get(host_, bytes_of(key), &value) != CAPE_OK) return std::nullopt;
    return text_of(value);
  }

  template <class T>
  static T parse(std::string_view key, std::string_view text) {
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      (void)key;
      return T(text);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (text != "true" && text != "false") refuse(key, text, "true or false");
      return text == "true";
    } else if constexpr (std::is_integral_v<T>) {
      return parse_integer<T>(key, text);
    } else {
      static_assert(std::is_floating_point_v<T>,
                    "a config value is a string, bool, integer or floating point");
      return parse_real<T>(key, text);
    }
  }

  template <class T>
  static T parse_integer(std::string_view key, std::string_view text) {
    T value = 0;
    const char* end = text.data() + text.size();
    const std::from_chars_result result = std::from_chars(text.data(), end, value);
    if (text.empty() || result.ec != std::errc() || result.ptr != end) {
      refuse(key, text,
             "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                 std::to_string(std::numeric_limits<T>::max()));
    }
    return value;
  }

  // strtod, because not every C++17 library has from_chars for reals. A plugin's process is in the C locale.
  template <class T>
  static T parse_real(std::string_view key, std::string_view text) {
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || end != copy.c_str() + copy.size()) refuse(key, text, "a number");
    return static_cast<T>(value);
  }

  const cape_host* host_;
  cape_bytes json_;
};

}  // namespace plugin_v1
}  // namespace cape

#endif  // CAPE_CONFIG_HPP
