#include "wire/codec/tokens.hpp"

#include <algorithm>

#include <msgpack.hpp>

#include "wire/messages.hpp"

namespace cape::wire {
namespace {

// The parser tells of each value as it comes upon it; returning false stops it. Nothing is allocated for a
// size that the bytes merely claim: tokens grow with what is really there.
class TokenVisitor : public msgpack::null_visitor {
 public:
  std::vector<Token> tokens;
  const char* mistake = nullptr;

  bool visit_nil() { return add({.kind = TokenKind::nil}); }
  bool visit_boolean(bool value) { return add({.kind = TokenKind::flag, .flag = value}); }
  bool visit_positive_integer(std::uint64_t value) { return add({.kind = TokenKind::whole, .whole = value}); }
  bool visit_negative_integer(std::int64_t value) {
    return add({.kind = TokenKind::negative, .negative = value});
  }
  bool visit_str(const char* data, std::uint32_t size) {
    return add({.kind = TokenKind::text, .size = size, .data = data});
  }
  bool visit_bin(const char* data, std::uint32_t size) {
    return add({.kind = TokenKind::binary, .size = size, .data = data});
  }
  bool visit_float32(float) { return refuse("holds a floating point number; no message has one"); }
  bool visit_float64(double) { return refuse("holds a floating point number; no message has one"); }
  bool visit_ext(const char*, std::uint32_t) {
    return refuse("holds a msgpack extension; no message has one");
  }
  bool start_map(std::uint32_t) { return refuse("holds a map; every message is made of arrays"); }
  bool start_array(std::uint32_t elements) {
    if (++depth_ > token_depth_max) return refuse("is nested too deep");
    return add({.kind = TokenKind::array, .size = elements});
  }
  bool end_array() {
    --depth_;
    return true;
  }
  void parse_error(std::size_t, std::size_t) { refuse("is not msgpack"); }
  void insufficient_bytes(std::size_t, std::size_t) { refuse("is cut short"); }

 private:
  bool add(const Token& token) {
    if (tokens.size() == tokens_max) return refuse("holds too many values");
    tokens.push_back(token);
    return true;
  }
  bool refuse(const char* why) {
    if (!mistake) mistake = why;
    return false;
  }
  std::size_t depth_ = 0;
};

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::protocol, "the message " + std::string(why));
}

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view bytes) {
  if (bytes.empty()) return refuse("is empty");
  if (bytes.size() > message_bytes_max) return refuse("is larger than 64 MiB");

  TokenVisitor visitor;
  std::size_t parsed = 0;
  const bool whole = msgpack::parse(bytes.data(), bytes.size(), parsed, visitor);
  if (visitor.mistake) return refuse(visitor.mistake);
  if (!whole) return refuse("is cut short");
  if (parsed != bytes.size()) return refuse("has bytes behind its end");
  return std::move(visitor.tokens);
}

}  // namespace cape::wire
