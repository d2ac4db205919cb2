#include "wire/codec/writer.hpp"

#include <msgpack.hpp>

#include "wire/messages.hpp"

namespace cape::wire {
namespace {

struct Appender {
  std::string& bytes;
  void write(const char* from, std::size_t count) { bytes.append(from, count); }
};

// The packer keeps nothing but the reference, so one for each value costs nothing.
template <class Pack>
void append(std::string& bytes, Pack pack) {
  Appender appender{bytes};
  msgpack::packer<Appender> packer(appender);
  pack(packer);
}

}  // namespace

Writer Writer::message(MessageType type, std::size_t fields) {
  Writer writer;
  writer.array(fields + 2).integer(protocol_version).integer(static_cast<std::uint32_t>(type));
  return writer;
}

Writer& Writer::array(std::size_t elements) {
  append(bytes_, [&](auto& packer) { packer.pack_array(static_cast<std::uint32_t>(elements)); });
  return *this;
}

Writer& Writer::flag(bool value) {
  append(bytes_, [&](auto& packer) { value ? packer.pack_true() : packer.pack_false(); });
  return *this;
}

Writer& Writer::text(std::string_view value) {
  append(bytes_, [&](auto& packer) { packer.pack_str(static_cast<std::uint32_t>(value.size())); });
  bytes_ += value;
  return *this;
}

Writer& Writer::remark(std::string_view value, std::size_t bytes_max) {
  return value.size() <= bytes_max && is_utf8(value) ? text(value) : text(printable(value, bytes_max));
}

Writer& Writer::binary(std::string_view value) {
  append(bytes_, [&](auto& packer) { packer.pack_bin(static_cast<std::uint32_t>(value.size())); });
  bytes_ += value;
  return *this;
}

Writer& Writer::whole(std::uint64_t value) {
  append(bytes_, [&](auto& packer) { packer.pack_uint64(value); });
  return *this;
}

Writer& Writer::signed_whole(std::int64_t value) {
  append(bytes_, [&](auto& packer) { packer.pack_int64(value); });
  return *this;
}

}  // namespace cape::wire
