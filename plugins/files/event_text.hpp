// plugins/files/event_text.hpp
// How a change is told: the subject of a directory, the payload of an event. Pure.
#pragma once

#include <string>
#include <string_view>

#include "facts.hpp"

namespace files {

// The subject of a directory, given its path relative to the root: the path itself, "." for the root. A path
// that is no subject (over 255 bytes, not UTF-8) becomes '#' and 32 hex digits of its hash, and so does one
// that looks like such a name.
std::string subject_of(std::string_view path);

struct Change {
  std::string_view type;         // "written", "renamed_to", ...
  std::string path;              // relative to the root
  std::string other;             // the other end of a rename; else empty
  const Facts* facts = nullptr;  // null: it is gone
  std::uint32_t kind = 0;
};

// {"path":"docs/a.txt","name":"a.txt","kind":"file","size":5,"mtime_ns":1,"from":"a.txt"}. `from` stands in
// renamed_to, `to` in renamed_from; size and mtime_ns only if it is there. A member that is not UTF-8 stands
// in base64 under its name with _base64.
std::string payload_of(const Change& change);

}  // namespace files
