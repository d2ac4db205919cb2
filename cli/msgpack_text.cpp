#include "cli/msgpack_text.hpp"

#include <nlohmann/json.hpp>

#include "cli/json_dump.hpp"

namespace cape::cli {
namespace {

using Json = nlohmann::ordered_json;

// The parser recurses: without a limit a few bytes a level would end our stack.
class Depth final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_ <= depth_max; }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return ++depth_ <= depth_max; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  static constexpr int depth_max = 16;
  int depth_ = 0;
};

}  // namespace

std::string json_of_msgpack(std::string_view bytes) {
  Depth depth;
  if (!Json::sax_parse(bytes, &depth, nlohmann::json::input_format_t::msgpack)) return "";
  const Json value = Json::from_msgpack(bytes, /*strict=*/true, /*allow_exceptions=*/false);
  return value.is_object() ? dump(value) : std::string();
}

}  // namespace cape::cli
