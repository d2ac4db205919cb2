// The rules of sleeping and ringing, the same for both ends of a child. Pure.
//
//   sleeper                          publisher
//     store sleeps = 1                 store head
//     load head: more? then go on      load sleeps: 0? then done
//     sleep until the doorbell         ring
//
// All four are seq_cst, so at least one of the two sees the other's store and no wake-up is lost.
#pragma once

#include <cstdint>
#include <utility>

namespace cape::child {

// What child_sleeps says a sleeping child waits for. host_sleeps knows 0 and 1.
inline constexpr std::uint64_t awake = 0, sleeps_for_request = 1, sleeps_for_room = 2;

// Rings once for one sleep. Only for a sleeper with something unread: it consumes at least that before it
// sleeps again, so as long as its tail stands where it stood at the last ring, it has not yet acted on that
// one and will see what was published since.
class DoorbellOnce {
 public:
  bool must_ring(std::uint64_t tail) { return std::exchange(rung_at_, tail) != tail; }

 private:
  std::uint64_t rung_at_ = UINT64_MAX;
};

}  // namespace cape::child
