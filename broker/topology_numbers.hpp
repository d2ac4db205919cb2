// broker/topology_numbers.hpp
// What each topology does, how fast, and what of it is behind, for people: the monitor's message and the
// admin method "topologies" (docs/protocol.md, Monitor). Thread: broker loop only.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "broker/broker_state.hpp"

namespace cape::broker {

// One object a topology, in the order of the config. Reads up to 2,000 stored records, a few milliseconds;
// if more subjects are behind, `behind` and `parked` are null.
nlohmann::json topology_numbers(BrokerState& broker);

// p50, p95 and p99 in us.
nlohmann::json latency_numbers(const LatencyHistogram& latencies);

}  // namespace cape::broker
