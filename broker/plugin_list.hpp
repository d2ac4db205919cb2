// broker/plugin_list.hpp
// What `cape plugin list` shows: each plugin wherever it is, what it wishes and is granted, its children, and
// the files that are set aside. The shapes stand in docs/protocol.md. Thread: broker loop only.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace cape::broker {

struct BrokerState;

// {"plugins": [...], "set_aside": [...]}
nlohmann::json plugin_list(const BrokerState& broker);

}  // namespace cape::broker
