#include "cli/ping_hint.hpp"

#include <optional>

#include <fmt/format.h>

#include "cli/client_keys.hpp"
#include "cli/console.hpp"
#include "wire/ping_client.hpp"

namespace cape::cli {
namespace {

// A command that ends right after its pings lets them leave; with a broker there that takes microseconds.
constexpr int linger_ms = 500;
constexpr std::int64_t connect_timeout_ms = 200;

}  // namespace

struct PingHints::State {
  wire::PingEndpoints endpoints;
  std::string domain;
  std::optional<wire::PingClient> client;
  bool given_up = false;  // no broker: the rest would only wait again

  bool connect();
};

bool PingHints::State::connect() {
  auto made = wire::PingClient::connect(endpoints, linger_ms);
  if (!made || !made->wait_for_broker(connect_timeout_ms)) return false;
  client.emplace(std::move(*made));
  return true;
}

PingHints::PingHints(const Config& config, std::string domain)
    : state_(new State{.endpoints = {.push = config.listen.push, .ping = config.listen.ping},
                       .domain = std::move(domain),
                       .client = std::nullopt,
                       .given_up = false}) {
  auto keys = client_keys(config, wire::Role::ping, config.listen.push);
  if (keys)
    state_->endpoints.keys = *std::move(keys);
  else
    note(fmt::format("no ping is sent: {}", shown(keys.error().message)));
  state_->given_up = !keys;
}
PingHints::~PingHints() = default;

void PingHints::send(std::string_view subject, Sequence sequence) {
  if (state_->given_up) return;
  if (!state_->client && !state_->connect()) {
    state_->given_up = true;
    return;
  }
  // Dropped when the broker is behind: refresh finds the subject.
  (void)state_->client->ping({.domain = state_->domain, .subject = std::string(subject), .hint = sequence});
}

}  // namespace cape::cli
