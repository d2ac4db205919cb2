#include "tests/system/relay.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace cape::test {
namespace {

constexpr int look_again_ms = 5;  // whether it was cut, healed or ended

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) throw std::runtime_error("too long for a socket: " + text);
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

UniqueFd new_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

}  // namespace

Relay::Relay(const std::filesystem::path& from, std::filesystem::path to)
    : from_(from), to_(std::move(to)), listener_(new_socket()) {
  const sockaddr_un address = address_of(from_);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0)
    throw std::runtime_error("cannot listen at " + from_.string());
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Relay::~Relay() = default;

void Relay::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> items;
    if (!is_cut_) {
      items.push_back({listener_.get(), POLLIN, 0});
      for (const Ends& ends : connections_)
        for (const int fd : {ends.first.get(), ends.second.get()}) items.push_back({fd, POLLIN, 0});
    }
    if (::poll(items.data(), items.size(), look_again_ms) <= 0) continue;
    const std::size_t known = connections_.size();
    std::vector<Ends> kept;
    for (std::size_t i = 0; i < known; ++i) {
      Ends& ends = connections_[i];
      const bool whole = (items[1 + 2 * i].revents == 0 || carry(ends.first.get(), ends.second.get())) &&
                         (items[2 + 2 * i].revents == 0 || carry(ends.second.get(), ends.first.get()));
      if (whole) kept.push_back(std::move(ends));
    }
    connections_ = std::move(kept);
    if (items[0].revents != 0) accept();
  }
}

void Relay::accept() {
  UniqueFd near(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  UniqueFd far = new_socket();
  const sockaddr_un address = address_of(to_);
  if (!near || ::connect(far.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  connections_.emplace_back(std::move(near), std::move(far));
}

// false: one of them has ended.
bool Relay::carry(int from, int to) {
  std::array<char, 65536> bytes;
  const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t more = ::send(to, bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  return got > 0;
}

}  // namespace cape::test
