// broker/stored_inputs.hpp
// What the store holds from earlier lives of the broker, taken up before the first event is read. Thread:
// broker loop, before its first turn.
#pragma once

#include <vector>

#include "broker/broker_state.hpp"

namespace cape::broker {

// What the scheduler must hear of it. An error: the store cannot be read, and running on without would move
// what is fixed.
Result<std::vector<scheduler::Input>> stored_inputs(BrokerState& broker);

}  // namespace cape::broker
