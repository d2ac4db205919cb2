#include "core/config/endpoint.hpp"

#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "core/types.hpp"

namespace cape {
namespace {

constexpr std::string_view ipc_scheme = "ipc://";
constexpr std::string_view tcp_scheme = "tcp://";

Result<Endpoint> ipc_endpoint(std::string_view text) {
  const std::string_view path = text.substr(ipc_scheme.size());
  if (path.empty() || path[0] != '/' || path.find('\0') != std::string_view::npos)
    return fail(ErrorCode::invalid,
                fmt::format("endpoint \"{}\": expected ipc:// and an absolute path", printable(text, 256)));
  if (path.size() > ipc_path_bytes_max)
    return fail(ErrorCode::invalid,
                fmt::format("the path of endpoint \"{}\" is {} bytes long and a socket takes {}; "
                            "choose a shorter directory",
                            printable(text, 512), path.size(), ipc_path_bytes_max));
  return Endpoint{Endpoint::Kind::ipc, std::filesystem::path(path), std::string(text), false};
}

// Only addresses in digits: a name may mean another machine tomorrow.
bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "[::1]";
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

// An address, a name, or * for all of this machine's.
bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%*") ==
             std::string_view::npos;
}

Result<Endpoint> tcp_endpoint(std::string_view text, Reach reach) {
  const std::string_view rest = text.substr(tcp_scheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || !is_port(rest.substr(colon + 1)))
    return fail(ErrorCode::invalid, fmt::format("endpoint \"{}\": expected an address and a port, such as "
                                                "tcp://127.0.0.1:7070",
                                                printable(text, 256)));
  const std::string_view host = rest.substr(0, colon);
  if (!is_host(host))
    return fail(
        ErrorCode::invalid,
        fmt::format("endpoint \"{}\": expected an address or a name before the port", printable(text, 256)));
  if (reach == Reach::loopback && !is_loopback(std::string(host)))
    return fail(
        ErrorCode::invalid,
        fmt::format(
            "endpoint \"{}\" is not a loopback address and CURVE keys are not configured; "
            "use ipc:// or tcp://127.0.0.1:PORT, or make keys with `cape keys new --dir keys` and set "
            "keys = {{ dir = \"keys\" }}",
            printable(text, 256)));
  return Endpoint{Endpoint::Kind::tcp, {}, std::string(text), rest.starts_with('[')};
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, Reach reach) {
  if (text.starts_with(ipc_scheme)) return ipc_endpoint(text);
  if (text.starts_with(tcp_scheme)) return tcp_endpoint(text, reach);
  return fail(ErrorCode::invalid, fmt::format("endpoint \"{}\": expected ipc:///PATH or tcp://127.0.0.1:PORT",
                                              printable(text, 256)));
}

}  // namespace cape
