// broker/perform.hpp
// Performs the scheduler's actions, in order. Nothing here decides.
#pragma once

#include "broker/broker_state.hpp"

namespace cape::broker {

void perform(BrokerState& broker, scheduler::Actions actions, Now now);

}  // namespace cape::broker
