#include <fmt/format.h>
#include <zmq.hpp>

#include "core/log.hpp"
#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"
#include "wire/zmq/host_transport.hpp"
#include "wire/zmq/wakeup.hpp"

namespace cape::wire {
namespace {

class ZmqHostEnd final : public HostEnd {
 public:
  explicit ZmqHostEnd(zmq::context_t& context) : socket_(context, zmq::socket_type::dealer) {}

  Result<void> open(const std::string& endpoint, const std::optional<ClientKeys>& keys,
                    const SocketLimits& limits) {
    endpoint_ = endpoint;
    socket_.set(zmq::sockopt::immediate, true);     // no queue for a broker that is not there
    socket_.set(zmq::sockopt::probe_router, true);  // an empty message at each new connection
    if (auto connected = connect_endpoint(socket_, endpoint, limits, keys); !connected) return connected;
    return wakeup_.open(socket_);
  }

  Result<void> send(ToBroker message) override {
    const bool sent = send_envelope(socket_, {}, encode(message));
    wakeup_.look(socket_);
    if (sent) return {};
    return fail(ErrorCode::unavailable,
                fmt::format("{} takes no messages now, refused or not reached: check that a broker runs "
                            "there, and over tcp that "
                            "[keys] names a directory with a key of role host that it knows",
                            endpoint_));
  }

  std::optional<ToHost> receive() override {
    auto envelope = receive_envelope(socket_);
    if (!envelope) {
      wakeup_.lower();
      return std::nullopt;
    }
    wakeup_.raise();
    auto message = decode_to_host(envelope->payload);
    if (message && envelope->route.empty()) return *std::move(message);
    // It may have held jobs, which nobody would ever report on: only a new session is safe.
    log::error("wire", "a message of the broker at {} cannot be read: {}; is it of this release?", endpoint_,
               message ? "it has more than one frame" : message.error().message);
    return HelloPlease{every_session};
  }

  int fd() const override { return wakeup_.fd(); }
  void clear_wakeup() override {}  // receive() lowers it when it finds nothing

 private:
  std::string endpoint_;
  zmq::socket_t socket_;
  Wakeup wakeup_;
};

}  // namespace

Result<std::unique_ptr<HostEnd>> open_host_end(zmq::context_t& context, const std::string& endpoint,
                                               const std::optional<ClientKeys>& keys,
                                               const SocketLimits& limits) {
  try {
    auto end = std::make_unique<ZmqHostEnd>(context);
    if (auto opened = end->open(endpoint, keys, limits); !opened) return std::unexpected(opened.error());
    return end;
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::io, fmt::format("cannot make a socket for {}: {}", endpoint, error.what()));
  }
}

}  // namespace cape::wire
