// core/config/endpoint.hpp
// A ZeroMQ endpoint as Cape allows it: ipc:// with an absolute path that fits a socket address, or tcp://
// with a port: on a loopback address, or with CURVE keys on any. Pure; used for the config and again by
// whoever binds or connects.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace cape {

inline constexpr std::size_t ipc_path_bytes_max = 107;  // sockaddr_un.sun_path less its NUL

struct Endpoint {
  enum class Kind : std::uint8_t { ipc, tcp };
  Kind kind = Kind::ipc;
  std::filesystem::path path;  // of an ipc endpoint
  std::string text;            // as ZeroMQ takes it
  bool is_ipv6 = false;
};

// How far an endpoint may reach. Only keys make it safe to leave the machine.
enum class Reach : std::uint8_t { loopback, anywhere };

// invalid: not such an endpoint; the message names it and says what to write instead.
Result<Endpoint> parse_endpoint(std::string_view text, Reach reach = Reach::loopback);

}  // namespace cape
