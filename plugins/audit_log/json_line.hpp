// plugins/audit_log/json_line.hpp
// One event as one line of JSON. Pure: bytes in, bytes out; any byte is legal in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace audit_log {

struct Record {
  std::string_view domain, subject;
  std::int64_t sequence = 0;
  std::int64_t time_ns = 0;
  std::string_view type, payload;
  std::uint64_t fence = 0;
};

// Appends {"domain":…,"subject":…,"sequence":…,"time_ns":…,"type":…,"payload":…,"fence":…} and a newline. A
// payload that is not UTF-8 stands under "payload_base64" instead; elsewhere each byte that is not UTF-8
// becomes U+FFFD. If memory runs out, `out` is as it was.
void append_line(std::string& out, const Record& record);

}  // namespace audit_log
