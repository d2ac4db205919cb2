// cli/broker_call.hpp
// One question to the running broker over its admin socket.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "cli/exit.hpp"
#include "core/config/config.hpp"

namespace cape::cli {

// A JSON object, or why there is none; Exit::no_broker: none was reached.
using Answer = std::expected<std::string, Ending>;

inline constexpr std::int64_t answer_timeout_ms = 5'000;  // a loaded broker answers in a few

// `method` and `body` as docs/protocol.md lists them.
Answer ask_broker(const Config& config, const std::string& method, const std::string& body,
                  std::int64_t timeout_ms = answer_timeout_ms);

}  // namespace cape::cli
