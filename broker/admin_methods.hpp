// broker/admin_methods.hpp
// What the broker tells people: the admin methods (docs/protocol.md, Admin), the monitor's message and the
// lines that `up --until-idle` leaves behind. Reads the parts and changes nothing but the latency window; what
// operators ask is handed on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/broker_state.hpp"
#include "wire/messages.hpp"

namespace cape::broker {

// nullopt: the answer comes later, from broker.operators or broker.whys. `inputs` must be stepped before anything else is.
std::optional<wire::AdminReply> answer_admin(BrokerState& broker, const wire::AdminRequest& request,
                                             AdminTicket ticket, std::vector<scheduler::Input>& inputs,
                                             std::int64_t now_ns);
std::string stats_message(BrokerState& broker);      // msgpack map
void print_behind(BrokerState& broker);              // one line on stderr for each of the first 20 subjects behind

}  // namespace cape::broker
