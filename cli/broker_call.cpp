#include "cli/broker_call.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/client_keys.hpp"
#include "cli/console.hpp"
#include "wire/admin_client.hpp"

namespace cape::cli {
namespace {

std::unexpected<Ending> ended(const Error& error) {
  return std::unexpected(
      complain(error.code == ErrorCode::unavailable ? Exit::no_broker : Exit::failed, error));
}

}  // namespace

Answer ask_broker(const Config& config, const std::string& method, const std::string& body,
                  std::int64_t timeout_ms) {
  const auto keys = client_keys(config, wire::Role::admin, config.listen.admin);
  if (!keys) return ended(keys.error());
  auto client = wire::AdminClient::connect(config.listen.admin, *keys);
  if (!client) return ended(client.error());
  auto reply = client->call(method, body, timeout_ms);
  if (!reply) return ended(reply.error());
  if (one_line(reply->body).empty())
    return ended(
        Error{ErrorCode::protocol, fmt::format("the broker's answer to \"{}\" is not a JSON object; is "
                                               "it of this version ({})?",
                                               method, CAPE_VERSION)});
  if (!reply->ok) return ended(Error{ErrorCode::protocol, field_text(reply->body, "error")});
  return std::move(reply->body);
}

}  // namespace cape::cli
