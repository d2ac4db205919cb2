// [listen]: where the broker takes pings, hosts and commands and publishes. [host]: where a host finds it.
// [keys] allows tcp endpoints that are not loopback.
#include <algorithm>
#include <array>
#include <cctype>

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
                             Socket{"hosts", &ListenConfig::hosts}, Socket{"admin", &ListenConfig::admin},
                             Socket{"monitor", &ListenConfig::monitor}};

constexpr std::string_view ipc = "ipc://";

Reach reach_of(const Config& config) {
  return config.keys_dir.empty() ? Reach::loopback : Reach::anywhere;
}

// ipc paths are relative to the file, as every other path in it.
std::string absolute_endpoint(const std::string& text, const fs::path& base) {
  if (!text.starts_with(ipc) || text.size() == ipc.size() || text[ipc.size()] == '@') return text;
  return std::string(ipc) + (base / text.substr(ipc.size())).lexically_normal().string();
}

void read_endpoint(Section& section, const char* key, std::string& into, const Config& config) {
  const auto given = section.text(key);
  if (!given) return;
  std::string text = absolute_endpoint(*given, config.base_dir());
  if (const auto endpoint = parse_endpoint(text, reach_of(config)))
    into = std::move(text);
  else
    section.mistake(key, endpoint.error().message);
}

// One cause, so one mistake, about the longest default that is in use.
void check_defaults(Section& file, const Section& listen, const Config& config) {
  const Socket* longest = nullptr;
  for (const Socket& socket : sockets) {
    // Only `cape broker` binds the one for hosts, and says the same when it does.
    if (socket.endpoint == &ListenConfig::hosts) continue;
    const bool is_default = !listen.entries().find(socket.name);
    if (is_default && !parse_endpoint(config.listen.*socket.endpoint, Reach::loopback)) longest = &socket;
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

void read_host(Section& file, Config& config) {
  Section host = file.table("host");
  if (auto name = host.text("name")) {
    if (is_host_name(*name))
      config.host.name = *std::move(name);
    else
      host.mistake("name",
                   "expected letters, digits, '.', '_' and '-', 1 to 63 in all; each host needs its own");
  }
  config.host.connect = config.listen.hosts;
  read_endpoint(host, "connect", config.host.connect, config);
  host.integer("jobs_max", config.host.jobs_max, {.min = 1, .max = 1'000'000});
  config.host.labels = read_labels(host, "labels");
  host.finish();
}

}  // namespace

void read_listen(Section& file, Config& config) {
  Section keys = file.table("keys");
  if (auto dir = keys.path("dir", config.base_dir())) config.keys_dir = *std::move(dir);
  keys.finish();

  for (const Socket& socket : sockets)
    config.listen.*socket.endpoint = fmt::format("ipc://{}/{}.sock", config.run_dir().string(), socket.name);

  Section listen = file.table("listen");
  for (const Socket& socket : sockets)
    read_endpoint(listen, socket.name, config.listen.*socket.endpoint, config);
  listen.finish();
  check_defaults(file, listen, config);
  check_distinct(listen, config);
  read_host(file, config);
}

}  // namespace cape::config

namespace cape {

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace cape
