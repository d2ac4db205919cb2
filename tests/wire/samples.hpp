// tests/wire/samples.hpp
// Messages of every type: plain ones and ones whose every field stands at its limit.
#pragma once

#include <vector>

#include "wire/messages.hpp"

namespace cape::test {

std::vector<wire::Ping> pings();
std::vector<wire::PingReply> ping_replies();
std::vector<wire::AdminRequest> admin_requests();
std::vector<wire::AdminReply> admin_replies();
std::vector<wire::ToBroker> to_broker();
std::vector<wire::ToHost> to_host();

// `count` events of `payload_bytes`, in a block that holds one more before and behind them.
EventRange events(std::uint32_t count, std::size_t payload_bytes);
wire::RunJob run_job(std::uint32_t event_count, std::size_t payload_bytes);

}  // namespace cape::test
