// wire/codec/reader.hpp
// Reader takes the fields of one message in their order. The first thing that is not as expected is kept as
// the error and everything after it reads as zero or empty, so a decoder is a plain list of its fields with
// one check at the end. Borrows the bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "wire/codec/message_type.hpp"
#include "wire/codec/tokens.hpp"

namespace cape::wire {

class Reader {
 public:
  // Reads [version, type, ...]; the fields of type() follow.
  explicit Reader(std::string_view bytes);

  MessageType type() const { return type_; }
  // Requires of the message that it is of this type.
  void expect_type(MessageType type);
  // Requires of the message that exactly `count` fields follow version and type. `name`: for errors.
  void fields(std::string_view name, std::size_t count);

  // Begins an array of exactly `elements`.
  void array(std::string_view field, std::size_t elements);
  // Begins an array of at most `elements_max`; returns how many, 0 after an error.
  std::size_t list(std::string_view field, std::size_t elements_max);
  bool flag(std::string_view field);
  std::string text(std::string_view field, std::size_t bytes_max);  // UTF-8
  std::string_view text_view(std::string_view field, std::size_t bytes_max);
  std::string_view binary(std::string_view field, std::size_t bytes_max);

  template <std::integral T>
  T integer(std::string_view field, T min = std::numeric_limits<T>::min(),
            T max = std::numeric_limits<T>::max()) {
    if constexpr (std::unsigned_integral<T>)
      return static_cast<T>(whole(field, min, max));
    else
      return static_cast<T>(signed_whole(field, min, max));
  }

  bool ok() const { return mistake_.empty(); }
  void refuse(std::string_view field, std::string_view why);
  // The value, if everything was read and nothing refused.
  template <class T>
  Result<T> finish(T value) const {
    if (!ok()) return fail(ErrorCode::protocol, mistake_);
    return value;
  }

 private:
  const Token* next(std::string_view field, TokenKind kind);
  std::string_view bytes_of(std::string_view field, TokenKind kind, std::size_t bytes_max);
  std::uint64_t whole(std::string_view field, std::uint64_t min, std::uint64_t max);
  std::int64_t signed_whole(std::string_view field, std::int64_t min, std::int64_t max);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t field_count_ = 0;
  MessageType type_ = MessageType::none;
  std::string_view name_ = "message";
  std::string mistake_;
};

}  // namespace cape::wire
