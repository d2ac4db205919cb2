// cape-bench [WHAT...]: measures and prints. WHAT is start, recovery, transport, neighbours; without it all
// of them.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/log.hpp"
#include "tests/bench/child_times.hpp"
#include "tests/bench/quantiles.hpp"
#include "tests/system/neighbours.hpp"

namespace cape::bench {
namespace {

void bench_start() {
  const Starts starts = measure_starts(500);
  fmt::print("start: call to ready            {}\n", to_text(quantiles_of(starts.child_ns)));
  fmt::print("       the same, of a spare     {}\n", to_text(quantiles_of(starts.spare_ns)));
  fmt::print("       /bin/true, call to end   {}\n", to_text(quantiles_of(starts.plain_ns)));
}

void bench_recovery() {
  const Recoveries recoveries = measure_recoveries(500);
  fmt::print("recovery: crash to next event   {}\n", to_text(quantiles_of(recoveries.recovery_ns)));
}

std::string per_event(const std::optional<double>& calls) {
  return calls ? fmt::format("{:.4f}", *calls) : std::string("not counted");
}

void bench_transport(const char* what, const Load& load) {
  const Carried carried = measure_transport(load);
  fmt::print(
      "transport: batch {:4}, 100 bytes{} {:9.0f} events/s; system calls an event: host {}, child {}{}\n",
      load.batch, what, carried.events_per_s, per_event(carried.host_syscalls),
      per_event(carried.child_syscalls),
      carried.why_not_counted.empty() ? "" : " (" + carried.why_not_counted + ")");
}

void bench_transport() {
  for (const int batch : {1, 16, 256, 1024})
    bench_transport("                ", {.batch = batch, .events = batch == 1 ? 500'000 : 5'000'000});
  bench_transport(", outputs copied", {.events = 5'000'000, .outputs = Outputs::emitted});
  bench_transport(", in place      ", {.events = 5'000'000, .outputs = Outputs::reserved});
}

void bench_neighbours() {
  test::Neighbours neighbours(10'000);
  if (!neighbours.up()) throw std::runtime_error(neighbours.log());
  for (const std::string& act : test::worst_acts()) {
    const test::Felt alone = neighbours.alone(std::chrono::seconds(5));
    const test::Felt beside = neighbours.beside(act, std::chrono::seconds(5));
    fmt::print(
        "neighbours at 10,000 events/s beside {:8} p95 {:.2f} ms, p99 {:.2f} ms; alone {:.2f}, {:.2f}; ratio "
        "of p95 {:.2f}\n",
        act + ":", beside.p95_ms, beside.p99_ms, alone.p95_ms, alone.p99_ms, beside.p95_ms / alone.p95_ms);
  }
}

struct Bench {
  std::string_view name;
  void (*run)();
};
constexpr Bench benches[] = {{"start", bench_start},
                             {"recovery", bench_recovery},
                             {"transport", bench_transport},
                             {"neighbours", bench_neighbours}};

int run(const std::vector<std::string_view>& wanted) {
  for (const std::string_view name : wanted)
    if (std::ranges::find(benches, name, &Bench::name) == std::end(benches)) {
      fmt::print(stderr, "cape-bench: no bench '{}'; there are start, recovery, transport, neighbours\n",
                 name);
      return 2;
    }
  for (const Bench& bench : benches)
    if (wanted.empty() || std::ranges::find(wanted, bench.name) != wanted.end()) bench.run();
  return 0;
}

}  // namespace
}  // namespace cape::bench

int main(int argc, char** argv) {
  cape::log::set_level(cape::log::Level::error);  // crashes are what is measured
  try {
    return cape::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& mistake) {
    fmt::print(stderr, "cape-bench: {}\n", mistake.what());
    return 1;
  }
}
