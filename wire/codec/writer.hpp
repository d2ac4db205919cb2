// wire/codec/writer.hpp
// Writer puts msgpack values one after the other. The caller says how many elements an array will have and
// then writes exactly as many.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wire/codec/message_type.hpp"

namespace cape::wire {

class Writer {
 public:
  // [protocol_version, type, and `fields` values that follow]
  static Writer message(MessageType type, std::size_t fields);

  Writer& array(std::size_t elements);
  Writer& flag(bool value);
  Writer& text(std::string_view value);
  // A text for people, which may come from anywhere: made printable and cut if the reader would refuse it. A
  // message must not be lost over such a text.
  Writer& remark(std::string_view value, std::size_t bytes_max);
  Writer& binary(std::string_view value);
  template <std::integral T>
  requires(!std::same_as<T, bool>) Writer& integer(T value) {
    if constexpr (std::unsigned_integral<T>)
      return whole(value);
    else
      return signed_whole(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  Writer& whole(std::uint64_t value);
  Writer& signed_whole(std::int64_t value);
  std::string bytes_;
};

}  // namespace cape::wire
