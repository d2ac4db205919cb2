#include "wire/codec/reader.hpp"

#include <fmt/format.h>

#include "core/types.hpp"
#include "wire/messages.hpp"

namespace cape::wire {
namespace {

const char* name_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::nil:
      return "nil";
    case TokenKind::flag:
      return "true or false";
    case TokenKind::whole:
      return "an integer";
    case TokenKind::negative:
      return "a negative integer";
    case TokenKind::text:
      return "a string";
    case TokenKind::binary:
      return "binary bytes";
    case TokenKind::array:
      return "an array";
  }
  return "something else";
}

}  // namespace

Reader::Reader(std::string_view bytes) {
  auto tokens = tokenize(bytes);
  if (!tokens) {
    mistake_ = tokens.error().message;
    return;
  }
  tokens_ = *std::move(tokens);
  const Token& first = tokens_.front();
  if (first.kind != TokenKind::array || first.size < 2) {
    refuse("", "expected an array [version, type, ...]");
    return;
  }
  field_count_ = first.size - 2;
  at_ = 1;
  const auto version = integer<std::uint64_t>("version");
  if (version != protocol_version)
    refuse("version", fmt::format("{} is not known here; expected {}", version, protocol_version));
  type_ = static_cast<MessageType>(integer<std::uint32_t>("type"));
}

void Reader::expect_type(MessageType type) {
  if (type_ != type)
    refuse("type", fmt::format("expected {}, found {}", static_cast<std::uint32_t>(type),
                               static_cast<std::uint32_t>(type_)));
}

void Reader::fields(std::string_view name, std::size_t count) {
  name_ = name;
  if (field_count_ != count) refuse("", fmt::format("expected {} fields, found {}", count, field_count_));
}

void Reader::array(std::string_view field, std::size_t elements) {
  const Token* token = next(field, TokenKind::array);
  if (token && token->size != elements)
    refuse(field, fmt::format("expected an array of {}, found {}", elements, token->size));
}

std::size_t Reader::list(std::string_view field, std::size_t elements_max) {
  const Token* token = next(field, TokenKind::array);
  if (!token) return 0;
  if (token->size <= elements_max) return token->size;
  refuse(field, fmt::format("{} elements, at most {} are allowed", token->size, elements_max));
  return 0;
}

bool Reader::flag(std::string_view field) {
  const Token* token = next(field, TokenKind::flag);
  return token && token->flag;
}

std::string_view Reader::bytes_of(std::string_view field, TokenKind kind, std::size_t bytes_max) {
  const Token* token = next(field, kind);
  if (!token) return {};
  if (token->size <= bytes_max) return token->view();
  refuse(field, fmt::format("{} bytes, at most {} are allowed", token->size, bytes_max));
  return {};
}

std::string_view Reader::binary(std::string_view field, std::size_t bytes_max) {
  return bytes_of(field, TokenKind::binary, bytes_max);
}

std::string_view Reader::text_view(std::string_view field, std::size_t bytes_max) {
  const std::string_view value = bytes_of(field, TokenKind::text, bytes_max);
  if (is_utf8(value)) return value;
  refuse(field, "not UTF-8");
  return {};
}

std::string Reader::text(std::string_view field, std::size_t bytes_max) {
  return std::string(text_view(field, bytes_max));
}

std::uint64_t Reader::whole(std::string_view field, std::uint64_t min, std::uint64_t max) {
  const Token* token = next(field, TokenKind::whole);
  if (!token) return 0;
  if (token->whole >= min && token->whole <= max) return token->whole;
  refuse(field, fmt::format("expected an integer from {} to {}, found {}", min, max, token->whole));
  return 0;
}

std::int64_t Reader::signed_whole(std::string_view field, std::int64_t min, std::int64_t max) {
  const bool negative = ok() && at_ < tokens_.size() && tokens_[at_].kind == TokenKind::negative;
  const Token* token = next(field, negative ? TokenKind::negative : TokenKind::whole);
  if (!token) return 0;
  const bool fits = negative || token->whole <= static_cast<std::uint64_t>(INT64_MAX);
  const std::int64_t value = negative ? token->negative : static_cast<std::int64_t>(token->whole);
  if (fits && value >= min && value <= max) return value;
  refuse(field, fmt::format("expected an integer from {} to {}", min, max));
  return 0;
}

const Token* Reader::next(std::string_view field, TokenKind kind) {
  if (!ok()) return nullptr;
  if (at_ == tokens_.size()) {  // an inner array was shorter than its parent's fields
    refuse(field, "missing");
    return nullptr;
  }
  const Token& token = tokens_[at_++];
  if (token.kind == kind) return &token;
  refuse(field, fmt::format("expected {}, found {}", name_of(kind), name_of(token.kind)));
  return nullptr;
}

void Reader::refuse(std::string_view field, std::string_view why) {
  if (!ok()) return;
  mistake_ = field.empty() ? fmt::format("{}: {}", name_, why) : fmt::format("{}.{}: {}", name_, field, why);
}

}  // namespace cape::wire
