// broker/json_reply.hpp
// Replies to admin requests: a JSON object, or {"error","code"}.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"
#include "wire/messages.hpp"

namespace cape::broker {

// Bytes that are no UTF-8 are replaced.
wire::AdminReply reply_with(bool ok, const nlohmann::json& body);
wire::AdminReply refused(const Error& error);

}  // namespace cape::broker
