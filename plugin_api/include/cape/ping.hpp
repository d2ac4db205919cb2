// cape/ping.hpp - cape/ping.h for C++17; header-only over libcape-ping.
//
//   auto client = cape::PingClient::in_data_dir("/srv/shop/data");
//   client.ping("orders", "order/17");   // never blocks
//   if (auto stored = client.ping_wait("orders", "order/17", 0, 1s); !stored) std::cerr << stored.reason;
//
// What a ping means, limits and threads are those of cape/ping.h: one thread at a time, not in a child of a
// fork. Only making a client throws (cape::PingError).
#ifndef CAPE_PING_HPP
#define CAPE_PING_HPP

#include <cape/ping.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace cape {
inline namespace ping_v1 {

class PingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What became of one ping: true if it was sent, or stored. The reason is for people.
struct PingResult {
  cape_ping_code code = CAPE_PING_OK;  // CAPE_PING_*
  std::string reason;                  // empty when OK
  explicit operator bool() const { return code == CAPE_PING_OK; }
};

class PingClient {
 public:
  // Returns at once, whether or not a broker runs. struct_size is set here.
  explicit PingClient(cape_ping_options options) : client_(connect(options), cape_ping_close) {}
  static PingClient in_data_dir(const std::string& data_dir, std::chrono::milliseconds linger = {}) {
    cape_ping_options options{};
    options.data_dir = data_dir.c_str();
    options.linger_ms = static_cast<std::int32_t>(linger.count());
    return PingClient(options);
  }

  // A ping that is dropped is counted, so most callers may ignore what comes back.
  PingResult ping(const std::string& domain, const std::string& subject, std::int64_t hint = 0) {
    return result(cape_ping(client_.get(), domain.c_str(), subject.c_str(), hint));
  }
  PingResult ping_wait(const std::string& domain, const std::string& subject, std::int64_t hint,
                       std::chrono::milliseconds timeout) {
    return result(cape_ping_wait(client_.get(), domain.c_str(), subject.c_str(), hint, timeout.count()));
  }
  PingResult ready(std::chrono::milliseconds timeout) {
    return result(cape_ping_ready(client_.get(), timeout.count()));
  }
  std::uint64_t dropped() const { return cape_ping_dropped(client_.get()); }

 private:
  static cape_ping_client* connect(cape_ping_options& options) {
    options.struct_size = sizeof options;
    cape_ping_client* client = nullptr;
    if (cape_ping_connect(&options, &client) != CAPE_PING_OK) throw PingError(cape_ping_error());
    return client;
  }
  static PingResult result(cape_ping_code code) {
    return {code, code == CAPE_PING_OK ? std::string() : std::string(cape_ping_error())};
  }

  std::unique_ptr<cape_ping_client, void (*)(cape_ping_client*)> client_;
};

}  // namespace ping_v1
}  // namespace cape

#endif  // CAPE_PING_HPP
