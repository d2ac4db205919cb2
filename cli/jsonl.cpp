#include "cli/jsonl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "cli/base64.hpp"

namespace cape::cli {
namespace {

using nlohmann::json;

// Takes the tokens of one flat object. Each callback returns false at the first mistake, which ends the
// parse.
class EventReader final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return value_expected("null"); }
  bool boolean(bool) override { return refuse_value("true or false"); }
  bool number_integer(std::int64_t value) override { return take_number(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return refuse(fmt::format("\"{}\" is above the largest 64-bit number", key_));
    return take_number(static_cast<std::int64_t>(value));
  }
  bool number_float(double, const std::string&) override { return refuse_value("a fraction"); }
  bool string(std::string& value) override { return take_text(value); }
  bool binary(json::binary_t&) override { return refuse_value("binary"); }
  bool start_object(std::size_t) override {
    if (std::exchange(inside_, true)) return refuse_value("an object");
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return refuse_value("a list"); }
  bool end_array() override { return true; }
  bool key(std::string& value) override;
  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override;

  Result<storage::NewEvent> finish(std::uint64_t payload_bytes_max);
  std::string mistake;

 private:
  bool refuse(std::string text) {
    mistake = std::move(text);
    return false;
  }
  bool value_expected(std::string_view what);
  bool refuse_value(std::string_view what);
  bool take_number(std::int64_t value);
  bool take_text(std::string& value);

  bool inside_ = false;
  std::string key_;
  std::set<std::string> keys_;
  std::optional<std::string> subject_, type_, payload_, payload_base64_;
  std::optional<std::int64_t> sequence_, time_ns_;
};

constexpr std::string_view known_keys = "subject, sequence, time_ns, type, payload, payload_base64";

bool EventReader::key(std::string& value) {
  static constexpr std::array names{"subject", "sequence", "time_ns", "type", "payload", "payload_base64"};
  if (std::ranges::find(names, value) == names.end())
    return refuse(fmt::format("unknown key \"{}\"; known are {}", printable(value, 64), known_keys));
  if (!keys_.insert(value).second) return refuse(fmt::format("key \"{}\" stands twice", value));
  key_ = std::move(value);
  return true;
}

bool EventReader::value_expected(std::string_view what) {
  return inside_ || refuse_value(what);
}

bool EventReader::refuse_value(std::string_view what) {
  if (!inside_ || key_.empty())
    return refuse(fmt::format("the line is {}; an event is an object {{...}}", what));
  const bool number = key_ == "sequence" || key_ == "time_ns";
  return refuse(fmt::format("\"{}\" is {}; it takes {}", key_, what, number ? "a whole number" : "text"));
}

bool EventReader::take_number(std::int64_t value) {
  if (key_ == "sequence") {
    if (value <= 0) return refuse(fmt::format("\"sequence\" is {}; it must be above 0", value));
    sequence_ = value;
    return true;
  }
  if (key_ != "time_ns") return refuse_value("a number");
  time_ns_ = value;
  return true;
}

bool EventReader::take_text(std::string& value) {
  if (key_ == "subject")
    subject_ = std::move(value);
  else if (key_ == "type")
    type_ = std::move(value);
  else if (key_ == "payload")
    payload_ = std::move(value);
  else if (key_ == "payload_base64")
    payload_base64_ = std::move(value);
  else
    return refuse_value("text");
  return true;
}

bool EventReader::parse_error(std::size_t position, const std::string&, const json::exception& error) {
  std::string_view what =
      error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 5: why"
  if (const std::size_t colon = what.find(": "); colon != std::string_view::npos)
    what.remove_prefix(colon + 2);
  return refuse(fmt::format("not JSON at byte {}: {}", position, printable(what, 200)));
}

Result<storage::NewEvent> EventReader::finish(std::uint64_t payload_bytes_max) {
  if (!subject_) return fail(ErrorCode::invalid, "no \"subject\"; every event needs one");
  if (const auto mistaken = subject_mistake(*subject_); !mistaken.empty())
    return fail(ErrorCode::invalid, std::string(mistaken));
  if (type_ && type_->size() > type_bytes_max)
    return fail(ErrorCode::invalid,
                fmt::format("the type has {} bytes; at most {} are allowed", type_->size(), type_bytes_max));
  if (payload_ && payload_base64_)
    return fail(ErrorCode::invalid, "both \"payload\" and \"payload_base64\"; give one of them");
  storage::NewEvent event{.subject = std::move(*subject_),
                          .sequence = sequence_,
                          .time_ns = time_ns_,
                          .type = std::move(type_).value_or(""),
                          .payload = std::move(payload_).value_or("")};
  if (payload_base64_) {
    auto bytes = decode_base64(*payload_base64_);
    if (!bytes) return fail(ErrorCode::invalid, "\"payload_base64\" is not padded standard base64");
    event.payload = std::move(*bytes);
  }
  if (event.payload.size() > payload_bytes_max)
    return fail(ErrorCode::limit, fmt::format("the payload has {} bytes; the configured limit is {}",
                                              event.payload.size(), payload_bytes_max));
  return event;
}

}  // namespace

Result<storage::NewEvent> parse_event_line(std::string_view line, std::uint64_t payload_bytes_max) {
  EventReader reader;
  if (!json::sax_parse(line, &reader)) return fail(ErrorCode::invalid, std::move(reader.mistake));
  return reader.finish(payload_bytes_max);
}

std::size_t event_line_bytes_max(std::uint64_t payload_bytes_max) {
  constexpr std::size_t rest = 16u << 10;  // keys, subject, type and numbers, generously
  return static_cast<std::size_t>(payload_bytes_max) * 6 + rest;
}

}  // namespace cape::cli
