// cape/ping.h over PingClient. Nothing leaves a function but a code and this thread's text.
#include <cape/ping.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "wire/ping_client.hpp"

struct cape_ping_client {
  cape::wire::PingClient client;
  std::uint64_t dropped = 0;
};

namespace cape::wire {
namespace {

// Not a string: it tells of memory that ran out, too.
thread_local char error_text[1536];

cape_ping_code answer(cape_ping_code code, std::string_view text) noexcept {
  error_text[text.copy(error_text, sizeof error_text - 1)] = '\0';
  return code;
}

cape_ping_code answer(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid:
      return answer(CAPE_PING_INVALID, error.message);
    case ErrorCode::unavailable:
      return answer(CAPE_PING_UNAVAILABLE, error.message);
    default:
      return answer(CAPE_PING_FAILED, error.message);
  }
}

cape_ping_code answer(const PingReply& reply) {
  switch (reply.answer) {
    case PingAnswer::acknowledged:
      return CAPE_PING_OK;
    case PingAnswer::busy:
      return answer(CAPE_PING_BUSY, reply.reason);
    case PingAnswer::refused:
      return answer(CAPE_PING_REFUSED, reply.reason);
  }
  return answer(CAPE_PING_FAILED, "the broker gave an answer that this library does not know");
}

// Exceptions end here: std::bad_alloc, and what a C++ library throws.
template <class Body>
cape_ping_code guarded(Body body) noexcept {
  try {
    error_text[0] = '\0';
    return body();
  } catch (const std::exception& error) {
    return answer(CAPE_PING_FAILED, error.what());
  }
}

// What the caller's version of the struct holds, whatever is behind it in ours.
Result<cape_ping_options> read(const cape_ping_options* given) {
  if (!given || given->struct_size < offsetof(cape_ping_options, server_public))
    return fail(ErrorCode::invalid, "options: struct_size must be sizeof(cape_ping_options)");
  cape_ping_options options{};
  std::memcpy(&options, given, std::min<std::size_t>(given->struct_size, sizeof options));
  return options;
}

Result<std::optional<ClientKeys>> keys_of(const cape_ping_options& options) {
  const char* const keys[] = {options.server_public, options.public_key, options.secret_key};
  if (std::ranges::all_of(keys, [](const char* key) { return key == nullptr; })) return std::nullopt;
  for (const char* key : keys)
    if (!key || std::strlen(key) != 40)
      return fail(ErrorCode::invalid,
                  "options: server_public, public_key and secret_key are 40 characters of Z85 each; "
                  "set all three or none");
  return ClientKeys{.server_key = keys[0], .public_key = keys[1], .secret_key = keys[2]};
}

Result<PingEndpoints> endpoints_of(const cape_ping_options& options) {
  auto keys = keys_of(options);
  if (!keys) return std::unexpected(keys.error());
  const auto endpoint = [&](const char* given, const char* socket) {
    if (given) return std::string(given);
    return options.data_dir ? fmt::format("ipc://{}/run/{}", options.data_dir, socket) : std::string();
  };
  PingEndpoints endpoints{endpoint(options.push, "push.sock"), endpoint(options.ping, "ping.sock"),
                          *std::move(keys)};
  if (endpoints.push.empty() || endpoints.ping.empty())
    return fail(ErrorCode::invalid, "options: set data_dir, or both push and ping");
  return endpoints;
}

Result<Ping> ping_of(const cape_ping_client* client, const char* domain, const char* subject,
                     std::int64_t hint) {
  if (!client || !domain || !subject)
    return fail(ErrorCode::invalid, "client, domain and subject must not be NULL");
  if (!is_name(domain))
    return fail(ErrorCode::invalid, "domain: a name starts with a-z and is made of a-z, 0-9 and _");
  if (const auto mistake = subject_mistake(subject); !mistake.empty())
    return fail(ErrorCode::invalid, std::string(mistake));
  if (hint < 0) return fail(ErrorCode::invalid, "hint: a sequence is above 0, and 0 is none");
  return Ping{domain, subject, hint};
}

cape_ping_code connect(const cape_ping_options* given, cape_ping_client** client) {
  if (!client) return answer(CAPE_PING_INVALID, "client must not be NULL");
  *client = nullptr;
  const auto options = read(given);
  if (!options) return answer(options.error());
  const auto endpoints = endpoints_of(*options);
  if (!endpoints) return answer(endpoints.error());
  auto connected = PingClient::connect(*endpoints, std::max(0, options->linger_ms));
  if (!connected) return answer(connected.error());
  *client = new cape_ping_client{*std::move(connected)};
  return CAPE_PING_OK;
}

}  // namespace
}  // namespace cape::wire

using cape::wire::answer;
using cape::wire::guarded;

cape_ping_code cape_ping_connect(const cape_ping_options* options, cape_ping_client** client) {
  return guarded([&] { return cape::wire::connect(options, client); });
}

cape_ping_code cape_ping(cape_ping_client* client, const char* domain, const char* subject,
                         std::int64_t hint) {
  return guarded([&] {
    const auto ping = cape::wire::ping_of(client, domain, subject, hint);
    if (!ping) return answer(ping.error());
    const auto sent = client->client.ping(*ping);
    if (sent) return CAPE_PING_OK;
    ++client->dropped;
    return answer(sent.error());
  });
}

cape_ping_code cape_ping_wait(cape_ping_client* client, const char* domain, const char* subject,
                              std::int64_t hint, std::int64_t timeout_ms) {
  return guarded([&] {
    const auto ping = cape::wire::ping_of(client, domain, subject, hint);
    if (!ping) return answer(ping.error());
    const auto reply = client->client.ping_wait(*ping, timeout_ms);
    return reply ? answer(*reply) : answer(reply.error());
  });
}

cape_ping_code cape_ping_ready(cape_ping_client* client, std::int64_t timeout_ms) {
  return guarded([&] {
    if (!client) return answer(CAPE_PING_INVALID, "client must not be NULL");
    const auto waited = client->client.wait_for_broker(timeout_ms);
    return waited ? CAPE_PING_OK : answer(waited.error());
  });
}

std::uint64_t cape_ping_dropped(const cape_ping_client* client) {
  return client ? client->dropped : 0;
}

void cape_ping_close(cape_ping_client* client) {
  delete client;
}

const char* cape_ping_error(void) {
  return cape::wire::error_text;
}
