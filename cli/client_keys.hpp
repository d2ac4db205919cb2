// cli/client_keys.hpp
// The CURVE keys of a command, as its config names them.
#pragma once

#include <optional>
#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "wire/zmq/keys.hpp"

namespace cape::cli {

// nullopt: none are needed, since `endpoint` is no tcp endpoint or [keys] is not set.
Result<std::optional<wire::ClientKeys>> client_keys(const Config& config, wire::Role role,
                                                    const std::string& endpoint);

}  // namespace cape::cli
