#include "wire/zmq/gate.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <zmq.hpp>

#include "core/log.hpp"
#include "core/types.hpp"

namespace cape::wire {
namespace {

constexpr const char* zap_endpoint = "inproc://zeromq.zap.01";
constexpr std::size_t frames_max = 16;
constexpr std::size_t curve_key_bytes = 32;

// A request of ZAP 1.0 behind the two frames of its way back:
// version, id, domain, address, routing id, mechanism, credentials.
struct Request {
  std::string route;
  std::string id, domain, address, mechanism, key;
};

// nullopt: none now. One that is no request of a CURVE client comes back with an empty key.
std::optional<Request> receive(zmq::socket_t& socket) {
  std::vector<std::string> frames;
  for (bool more = true; more;) {
    zmq::message_t frame;
    if (::zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
    more = frame.more();
    if (frames.size() < frames_max) frames.push_back(frame.to_string());
  }
  frames.resize(std::max<std::size_t>(frames.size(), 9));
  Request request{frames[0], frames[3], frames[4], frames[5], frames[7], ""};
  if (frames[2] == "1.0" && request.mechanism == "CURVE" && frames[8].size() == curve_key_bytes) {
    char text[41];
    ::zmq_z85_encode(text, reinterpret_cast<const std::uint8_t*>(frames[8].data()), curve_key_bytes);
    request.key = text;
  }
  return request;
}

void answer(zmq::socket_t& socket, const Request& to, bool allowed) {
  const std::array<std::string_view, 8> frames{
      to.route, "", "1.0", to.id, allowed ? "200" : "400", allowed ? "OK" : "no key of this role", "", ""};
  for (std::size_t i = 0; i < frames.size(); ++i)
    if (::zmq_send(socket.handle(), frames[i].data(), frames[i].size(),
                   ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0)) < 0)
      return;  // the client is gone
}

class OpenGate final : public Gate {
 public:
  Result<void> bind(zmq::socket_t& socket, Role, const std::string& endpoint,
                    const SocketLimits& limits) override {
    return bind_endpoint(socket, endpoint, limits);
  }
  void serve(std::size_t) override {}
  void* socket() override { return nullptr; }
  std::uint64_t refused() const override { return 0; }
};

class CurveGate final : public Gate {
 public:
  CurveGate(zmq::context_t& context, ServerKeys keys)
      : keys_(std::move(keys)), zap_(context, zmq::socket_type::router) {
    zap_.set(zmq::sockopt::linger, 0);
    zap_.bind(zap_endpoint);
  }

  Result<void> bind(zmq::socket_t& socket, Role role, const std::string& endpoint,
                    const SocketLimits& limits) override {
    return bind_endpoint(socket, endpoint, limits,
                         ServerCurve{.secret_key = keys_.secret_key, .role = name_of(role)});
  }

  void serve(std::size_t max) override {
    for (std::size_t i = 0; i < max; ++i) {
      const auto request = receive(zap_);
      if (!request) return;
      const bool allowed = is_allowed(*request);
      if (!allowed) note_refused(*request);
      answer(zap_, *request, allowed);
    }
  }

  void* socket() override { return zap_.handle(); }
  std::uint64_t refused() const override { return refused_; }

 private:
  bool is_allowed(const Request& request) const {
    if (request.key.empty()) return false;
    const auto role =
        std::ranges::find(roles, request.domain, [](Role r) { return std::string(name_of(r)); });
    return role != roles.end() &&
           std::ranges::find(keys_.clients[static_cast<std::size_t>(*role)], request.key) !=
               keys_.clients[static_cast<std::size_t>(*role)].end();
  }

  // One that is refused tries again for ever: told at the first and then at each thousandth.
  void note_refused(const Request& request) {
    ++refused_;
    if (refused_ != 1 && refused_ % 1000 != 0) return;
    log::warning(
        "wire",
        "refused connection number {}: a client at {} has no key of role {}; if it should have, add its "
        "public key to {}.public and start the broker again",
        refused_, printable(request.address, 64), printable(request.domain, 16),
        printable(request.domain, 16));
  }

  ServerKeys keys_;
  zmq::socket_t zap_;
  std::uint64_t refused_ = 0;
};

}  // namespace

Result<std::unique_ptr<Gate>> Gate::open(zmq::context_t& context, const std::filesystem::path& keys_dir) {
  if (keys_dir.empty()) return std::make_unique<OpenGate>();
  auto keys = load_server_keys(keys_dir);
  if (!keys) return std::unexpected(keys.error());
  try {
    return std::make_unique<CurveGate>(context, *std::move(keys));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::io, fmt::format("cannot make the socket that checks keys: {}", error.what()));
  }
}

}  // namespace cape::wire
