#include "cli/progress.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "core/clock.hpp"

namespace cape::cli {
namespace {

constexpr std::int64_t first_after_ns = 500 * ns_per_ms;  // a command that is quick shows nothing
constexpr std::int64_t redraw_after_ns = 200 * ns_per_ms;

// The last column stays empty: some terminals go to the next line when it is written.
std::size_t columns_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 79;
  return size.ws_col - 1u;
}

bool takes_bytes(int fd) {
  pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
}

// A terminal that is gone, or takes half of it, is no reason to end: it is only progress.
void put(int fd, const std::string& bytes) {
  if (::write(fd, bytes.data(), bytes.size()) < 0) return;
}

}  // namespace

Progress::Progress(int fd, std::int64_t now_ns)
    : fd_(fd), on_(::isatty(fd) == 1), next_ns_(now_ns + first_after_ns) {
  if (on_) log::set_last_line(this);
}

Progress::~Progress() {
  end();
}

bool Progress::is_due(std::int64_t now_ns) const {
  return on_ && now_ns >= next_ns_;
}

void Progress::show(std::int64_t now_ns, std::string_view text) {
  if (!is_due(now_ns)) return;
  next_ns_ = now_ns + redraw_after_ns;
  const auto lines_held = log::hold_lines();
  if (!takes_bytes(fd_)) return;
  const std::string_view shown = text.substr(0, columns_of(fd_));
  const std::size_t rest = columns_drawn_ > shown.size() ? columns_drawn_ - shown.size() : 0;
  // Blanks rather than a sequence that clears: every terminal has them.
  put(fd_, "\r" + std::string(shown) + std::string(rest, ' ') + std::string(rest, '\b'));
  columns_drawn_ = shown.size();
}

void Progress::end() {
  if (!on_) return;
  on_ = false;
  log::set_last_line(nullptr);
  const auto lines_held = log::hold_lines();
  erase();
}

void Progress::erase() {
  if (columns_drawn_ == 0 || !takes_bytes(fd_)) return;
  put(fd_, "\r" + std::string(columns_drawn_, ' ') + "\r");
  columns_drawn_ = 0;
}

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

}  // namespace cape::cli
