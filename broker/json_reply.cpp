#include "broker/json_reply.hpp"

#include <nlohmann/json.hpp>

namespace cape::broker {

using nlohmann::json;

wire::AdminReply reply_with(bool ok, const json& body) {
  return {ok, body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

wire::AdminReply refused(const Error& error) {
  return reply_with(false, {{"error", error.message}, {"code", name_of(error.code)}});
}

}  // namespace cape::broker
