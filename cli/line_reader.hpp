// cli/line_reader.hpp
// LineReader cuts a file descriptor into lines, holding at most one line and one read ahead in memory. It
// does not own the descriptor. Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace cape::cli {

class LineReader {
 public:
  LineReader(int fd, std::size_t line_bytes_max) : fd_(fd), line_bytes_max_(line_bytes_max) {}

  // The next line without its newline, valid until the next call; a last line may lack the newline. nullopt:
  // the end. limit: the line is over line_bytes_max; io: the read failed. After an error there is no more.
  Result<std::optional<std::string_view>> next();

  // Of the line that next() returned or failed on last; the first is 1.
  std::uint64_t number() const { return number_; }

  // Would next() wait for a slow writer?
  bool must_wait() const;

 private:
  Result<void> fill();

  int fd_;
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of what next() has not returned yet
  std::size_t searched_ = 0;  // no newline in [begin_, searched_)
  bool ended_ = false;
  std::uint64_t number_ = 0;
};

}  // namespace cape::cli
