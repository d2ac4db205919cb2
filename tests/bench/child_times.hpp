// tests/bench/child_times.hpp
// What a child costs: its start, its replacement after a crash, an event. Measured by `cape-bench` and, in a
// form that a busy machine cannot break, by tests. Each throws std::runtime_error when a child does not do as
// it should.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cape::bench {

// From the call that makes the process to the plugin loaded, created and confined: of a child started anew,
// and of one for which a spare waits. Beside each that of /bin/true is measured, from its call to its end:
// what the machine takes for any process just then.
struct Starts {
  std::vector<std::int64_t> child_ns, spare_ns, plain_ns;
};
Starts measure_starts(int count);
std::int64_t plain_start_ns();

// From handing over the event that crashes to the start of the next one, in the new child: transport to the
// host, death, verdict and replacement. Over a whole host.
struct Recoveries {
  std::vector<std::int64_t> recovery_ns, plain_ns;
};
Recoveries measure_recoveries(int count);

struct Carried {
  double events_per_s = 0;
  // Each for one event; nullopt: this machine does not let us count.
  std::optional<double> host_syscalls, child_syscalls;
  std::string why_not_counted;
};
enum class Outputs { none, emitted, reserved };  // reserved: written in place, before a guard page
struct Load {
  int batch = 256, payload_bytes = 100;
  std::int64_t events = 1'000'000;
  Outputs outputs = Outputs::none;  // of as many bytes as the payload
};
// Events through a child that does nothing with them or gives them back, and their outcomes.
Carried measure_transport(const Load& load);

}  // namespace cape::bench
