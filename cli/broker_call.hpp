// cli/broker_call.hpp
// One question to the running broker over its admin socket.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "cli/exit.hpp"
#include "core/config/config.hpp"

namespace cape::cli {

struct Trouble {
  Exit exit = Exit::failed;  // no_broker: none was reached
  std::string message;       // for a person; not yet shown()
};
// A JSON object.
using Answer = std::expected<std::string, Trouble>;

inline constexpr std::int64_t answer_timeout_ms = 5'000;  // a loaded broker answers in a few

// `method` and `body` as docs/operations.md lists them.
Answer ask_broker(const Config& config, const std::string& method, const std::string& body,
                  std::int64_t timeout_ms = answer_timeout_ms);

}  // namespace cape::cli
