// A service over cape/ping.hpp: every member.
#include <cape/ping.hpp>

std::string ping_everything(const std::string& data_dir);

std::string ping_everything(const std::string& data_dir) try {
  using std::chrono::milliseconds;
  cape::PingClient client = cape::PingClient::in_data_dir(data_dir, milliseconds(10));
  if (const cape::PingResult ready = client.ready(milliseconds(1)); !ready) return ready.reason;
  client.ping("orders", "order/17");
  const cape::PingResult stored = client.ping_wait("orders", "order/17", 42, milliseconds(1000));
  if (stored.code == CAPE_PING_BUSY) return "busy";
  cape_ping_options options{};
  options.push = options.ping = "tcp://127.0.0.1:7070";
  cape::PingClient other(options);
  client = std::move(other);
  return std::to_string(client.dropped());
} catch (const cape::PingError& error) {
  return error.what();
}
