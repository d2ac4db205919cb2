// broker/admin_methods.hpp
// What the broker tells people: the admin methods (docs/protocol.md, Admin), the monitor's message and the
// lines that `up --until-idle` leaves behind. Reads the parts, changes nothing but the latency window.
#pragma once

#include <string>

#include "broker/broker_state.hpp"
#include "wire/messages.hpp"

namespace cape::broker {

wire::AdminReply answer_admin(BrokerState& broker, const wire::AdminRequest& request);
std::string stats_message(BrokerState& broker);      // msgpack map
void print_behind(BrokerState& broker);              // one line on stderr for each of the first 20 subjects behind

}  // namespace cape::broker
