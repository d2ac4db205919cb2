#include "event_text.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cape/utf8.hpp>

#include "below.hpp"
#include "json_text.hpp"

namespace files {
namespace {

constexpr std::size_t subject_bytes_max = 255;
constexpr std::size_t hash_digits = 32;
constexpr char digits[] = "0123456789abcdef";

void append_hex(std::string& out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += digits[value >> shift & 15];
}

bool looks_hashed(std::string_view path) {
  return path.size() == hash_digits + 1 && path[0] == '#' &&
         path.find_first_not_of(digits, 1, sizeof digits - 1) == std::string_view::npos;
}

}  // namespace

std::string subject_of(std::string_view path) {
  if (path.empty()) return ".";
  if (path.size() <= subject_bytes_max && cape::is_utf8(path) && !looks_hashed(path))
    return std::string(path);
  const XXH128_hash_t hash = XXH3_128bits(path.data(), path.size());
  std::string subject = "#";
  append_hex(subject, hash.high64);
  append_hex(subject, hash.low64);
  return subject;
}

std::string payload_of(const Change& change) {
  std::string out = "{";
  json_text::append_text_member(out, "path", change.path);
  out += ',';
  json_text::append_text_member(out, "name", files_below::name_of(change.path));
  out.append(",\"kind\":\"").append(name_of_kind(change.kind)).append("\"");
  if (change.facts != nullptr && !change.facts->is_directory()) {
    out += ",\"size\":" + std::to_string(change.facts->size);
    out += ",\"mtime_ns\":" + std::to_string(change.facts->mtime_ns);
  }
  if (!change.other.empty()) {
    out += ',';
    json_text::append_text_member(out, change.facts != nullptr ? "from" : "to", change.other);
  }
  return out += '}';
}

}  // namespace files
