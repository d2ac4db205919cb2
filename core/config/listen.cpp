// [listen]: where the broker takes pings and commands and publishes.
#include <array>

#include <fmt/format.h>

#include "core/config/endpoint.hpp"
#include "core/config/parts.hpp"

namespace cape::config {
namespace {

struct Socket {
  const char* name;
  std::string ListenConfig::*endpoint;
};
constexpr std::array sockets{Socket{"push", &ListenConfig::push}, Socket{"ping", &ListenConfig::ping},
                             Socket{"admin", &ListenConfig::admin},
                             Socket{"monitor", &ListenConfig::monitor}};

constexpr std::string_view ipc = "ipc://";

// ipc paths are relative to the file, as every other path in it.
std::string absolute_endpoint(const std::string& text, const fs::path& base) {
  if (!text.starts_with(ipc) || text.size() == ipc.size() || text[ipc.size()] == '@') return text;
  return std::string(ipc) + (base / text.substr(ipc.size())).lexically_normal().string();
}

void read_endpoint(Section& listen, const Socket& socket, Config& config) {
  const auto given = listen.text(socket.name);
  if (!given) return;
  std::string text = absolute_endpoint(*given, config.base_dir());
  if (const auto endpoint = parse_endpoint(text))
    config.listen.*socket.endpoint = std::move(text);
  else
    listen.mistake(socket.name, endpoint.error().message);
}

// One cause, so one mistake, about the longest default that is in use.
void check_defaults(Section& file, const Section& listen, const Config& config) {
  const Socket* longest = nullptr;
  for (const Socket& socket : sockets) {
    const bool is_default = !listen.entries().find(socket.name);
    if (is_default && !parse_endpoint(config.listen.*socket.endpoint)) longest = &socket;
  }
  if (!longest) return;
  const std::size_t bytes = (config.listen.*longest->endpoint).size() - ipc.size();
  file.mistake("data_dir",
               fmt::format("the path of its socket run/{}.sock is {} bytes long and a socket takes {}; "
                           "choose a shorter data_dir, or set push, ping, admin and monitor in [listen]",
                           longest->name, bytes, ipc_path_bytes_max));
}

void check_distinct(Section& listen, const Config& config) {
  for (std::size_t i = 0; i < sockets.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (config.listen.*sockets[i].endpoint == config.listen.*sockets[j].endpoint)
        listen.mistake(sockets[i].name,
                       fmt::format("the same endpoint as {}; each socket needs its own", sockets[j].name));
}

}  // namespace

void read_listen(Section& file, Config& config) {
  for (const Socket& socket : sockets)
    config.listen.*socket.endpoint = fmt::format("ipc://{}/{}.sock", config.run_dir().string(), socket.name);

  Section listen = file.table("listen");
  for (const Socket& socket : sockets) read_endpoint(listen, socket, config);
  listen.finish();
  check_defaults(file, listen, config);
  check_distinct(listen, config);
}

}  // namespace cape::config
