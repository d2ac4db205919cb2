// Opens a TCP socket. OK means that it got one; FAILED that it was refused and lived to tell.
#include <sys/socket.h>

#include "recorder.hpp"

namespace {

class Guest : public zoo::Animal {
  using Animal::Animal;

  cape::Outcome misbehave(const cape::Event&, cape::Call&) override {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
      return cape::Outcome::failed("socket() was refused: errno " + std::to_string(errno)).with_code(errno);
    ::close(fd);
    return cape::Outcome::ok();
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "open_socket", "1.0.0")
