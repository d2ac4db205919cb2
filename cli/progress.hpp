// cli/progress.hpp
// Progress is one line at the bottom of a terminal that tells how far a long command is. It is drawn over
// itself a few times a second, gives way to lines of the log, and is erased at the end. Nothing at all is
// written when the descriptor is no terminal, nor in the first half second, nor while the terminal takes
// nothing (Ctrl-S): it never blocks.
// Thread: one; lines of the log may come from others. Not two at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/log.hpp"

namespace cape::cli {

class Progress final : private log::LastLine {
 public:
  // `fd`, which must outlive it, is stderr but in tests. `now_ns`: boot time, here and below.
  Progress(int fd, std::int64_t now_ns);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Would show() draw? Ask first where the text costs something.
  bool is_due(std::int64_t now_ns) const;
  // `text`: printable ASCII, without a newline; what is wider than the terminal is cut off.
  void show(std::int64_t now_ns, std::string_view text);
  void end();  // erases it; nothing is drawn any more

 private:
  void erase() override;

  int fd_;
  bool on_;
  std::int64_t next_ns_;
  std::size_t columns_drawn_ = 0;  // under log::hold_lines()
};

// 1234567 as 1,234,567.
std::string with_commas(std::uint64_t number);

}  // namespace cape::cli
