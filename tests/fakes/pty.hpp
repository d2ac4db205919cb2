// tests/fakes/pty.hpp
// Pty is a terminal in memory: a program writes to its slave side, the test sees what a person would.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace cape::test {

class Pty {
 public:
  explicit Pty(unsigned short columns = 80) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    char name[256];
    if (::openpty(&master_, &slave_, name, nullptr, &size) != 0) throw std::runtime_error("no pty");
    path_ = name;
    ::fcntl(master_, F_SETFD, FD_CLOEXEC);
    ::fcntl(slave_, F_SETFD, FD_CLOEXEC);
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
  }
  ~Pty() {
    ::close(master_);
    ::close(slave_);
  }
  Pty(const Pty&) = delete;
  Pty& operator=(const Pty&) = delete;

  int slave() const { return slave_; }
  const std::string& path() const { return path_; }

  // Everything that was ever written.
  const std::string& bytes() {
    char block[4096];
    for (ssize_t got; (got = ::read(master_, block, sizeof block)) > 0;)
      bytes_.append(block, static_cast<std::size_t>(got));
    return bytes_;
  }
  // What stands there now, line by line without blanks at their ends. Knows \r, \n and \b.
  std::vector<std::string> lines() {
    std::vector<std::string> screen(1);
    std::size_t column = 0;
    for (const char c : bytes()) {
      if (c == '\n')
        screen.emplace_back();
      else if (c == '\r')
        column = 0;
      else if (c == '\b')
        column -= column > 0 ? 1 : 0;
      else
        put(screen.back(), column++, c);
    }
    for (std::string& line : screen) line.erase(line.find_last_not_of(' ') + 1);
    return screen;
  }
  // Looks until `what(*this)` holds: what is written turns up a little later. false: not within `limit`.
  template <class What>
  bool eventually(What what, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!what(*this)) {
      if (std::chrono::steady_clock::now() >= end) return false;
      pollfd ready{.fd = master_, .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, 10);
    }
    return true;
  }

 private:
  static void put(std::string& line, std::size_t column, char c) {
    if (line.size() <= column) line.resize(column + 1, ' ');
    line[column] = c;
  }

  int master_ = -1, slave_ = -1;
  std::string path_, bytes_;
};

}  // namespace cape::test
