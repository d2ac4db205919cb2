// tests/sim/promise.hpp
// What a run of the simulation can find broken, and the exit code by which `cape-sim` tells it.
#pragma once

#include <cstdint>
#include <string>

namespace cape::scheduler {

enum class Promise : std::uint8_t {
  order,      // an event of a strict topology began before an earlier one had succeeded (G2)
  after,      // an event began before a topology that comes first was through with it (G3)
  fence,      // something ran in a job after a later job had taken its place (G7)
  cursor,     // a stored cursor fell, or stands past an event that has not succeeded (G6)
  acts,       // what an operator asked was not done, was told wrongly, or was not kept
  bounds,     // a limit was passed, or something stayed in memory for good (G9)
  stuck,      // not everything was processed, or saved, in the end (G1, G8)
  told,       // what is told of a subject is wrong: parked without a cause, no hint that an event runs again
  spin,       // steps without end while time hardly passes
  isolation,  // a job waited behind a slow event of another subject for nothing (G5)
  data,       // an event began without what the lambdas it needs gave for it, or with something else (G4)
  drain,      // a host that was drained ran something twice, counted an attempt, or never said goodbye
  ping,       // a ping was acknowledged and forgotten (G1)
};
const char* name_of(Promise promise);

inline constexpr int exit_usage = 2;
inline constexpr int exit_check_failed = 30;  // a CAPE_CHECK of the code under test, or a crash of it
// 10 to 22, in the order above.
int exit_code_of(Promise promise);

struct Violation {
  Promise promise = Promise::order;
  std::string what;
};

}  // namespace cape::scheduler
