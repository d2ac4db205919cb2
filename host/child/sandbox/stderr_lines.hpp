// StderrLines turns what a child writes to stderr into lines fit for a log: printable, bounded in length and in
// number. Does no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cape::child {

class StderrLines {
 public:
  static constexpr std::size_t line_bytes_max = 1024;
  static constexpr std::uint32_t burst_lines = 100;
  static constexpr std::uint32_t lines_per_s = 20;

  // Appends the lines that `bytes` complete to `out`, as far as the rate allows.
  void feed(std::string_view bytes, std::int64_t boot_ns, std::vector<std::string>& out);
  // The last line, if it had no end.
  void finish(std::int64_t boot_ns, std::vector<std::string>& out);
  // Lines the rate limit took since the last call.
  std::uint64_t take_dropped();

 private:
  void complete(std::int64_t boot_ns, std::vector<std::string>& out);
  bool admit(std::int64_t boot_ns);

  std::string open_line_;
  std::int64_t full_at_ns_ = 0;  // when the allowance is whole again
  std::uint64_t dropped_ = 0;
};

}  // namespace cape::child
