// wire/codec/tokens.hpp
// Bytes as a flat list of msgpack values: an array is its token and then its elements. Strings are views into
// the bytes. The only place that reads msgpack.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace cape::wire {

enum class TokenKind : std::uint8_t { nil, flag, whole, negative, text, binary, array };

struct Token {
  TokenKind kind = TokenKind::nil;
  std::uint32_t size = 0;  // bytes of text or binary, elements of an array
  union {
    std::uint64_t whole = 0;
    std::int64_t negative;
    bool flag;
    const char* data;
  };
  std::string_view view() const { return {data, size}; }
};

// No message of ours holds more values: 24 MiB of tokens.
inline constexpr std::size_t tokens_max = 1u << 20;
inline constexpr std::size_t token_depth_max = 6;  // message, jobs, job, inputs, input, outputs

// protocol: not exactly one msgpack value, or cut short, too deep, too many values, or of a kind no message
// has.
Result<std::vector<Token>> tokenize(std::string_view bytes);

}  // namespace cape::wire
