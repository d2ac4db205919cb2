// wire/codec/message_type.hpp
// Numbers of the messages on the wire. A number never changes its meaning.
#pragma once

#include <cstdint>

namespace cape::wire {

enum class MessageType : std::uint32_t {
  none = 0,
  ping = 1,
  ping_reply = 2,
  admin_request = 3,
  admin_reply = 4,
  host_hello = 16,
  host_offers = 17,
  host_credit = 18,
  job_statuses = 19,
  host_heartbeat = 20,
  host_goodbye = 21,
  host_report = 22,
  broker_welcome = 32,
  run_jobs = 33,
  cancel_job = 34,
  heartbeat_answer = 35,
  hello_please = 36,
  drain_host = 37,
  host_pins = 38,
  serve_versions = 39,
};

}  // namespace cape::wire
