#include "cli/line_reader.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace cape::cli {

Result<std::optional<std::string_view>> LineReader::next() {
  ++number_;
  for (;;) {
    const std::size_t newline = buffer_.find('\n', searched_);
    const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
    if (end - begin_ > line_bytes_max_)
      return fail(ErrorCode::limit, fmt::format("the line has more than {} bytes", line_bytes_max_));
    if (newline != std::string::npos || ended_) {
      if (newline == std::string::npos && begin_ == end) return std::nullopt;
      const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = searched_ = newline == std::string::npos ? end : end + 1;
      return line;
    }
    searched_ = end;
    if (auto filled = fill(); !filled) return std::unexpected(filled.error());
  }
}

bool LineReader::must_wait() const {
  if (ended_ || buffer_.find('\n', searched_) != std::string::npos) return false;
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 0;
}

Result<void> LineReader::fill() {
  constexpr std::size_t read_bytes = 64u << 10;
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t old = buffer_.size();
  buffer_.resize(old + read_bytes);
  ssize_t got;
  do got = ::read(fd_, buffer_.data() + old, read_bytes);
  while (got < 0 && errno == EINTR);
  const int saved_errno = errno;
  buffer_.resize(old + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got < 0) {
    ended_ = true;
    return fail_errno(ErrorCode::io, "the input cannot be read", saved_errno);
  }
  ended_ = got == 0;
  return {};
}

}  // namespace cape::cli
