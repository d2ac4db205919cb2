// When nothing fails any more: hosts are drained while events come, and come back. Nothing may show of it.
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t calm_after_ns = 6 * second;  // the failures: what they broke off is back
constexpr std::int64_t drains_ns = 300 * ms;
constexpr std::int64_t goodbye_ns = second;  // no event takes a hundredth of it
constexpr std::size_t events = 40;

}  // namespace

void Simulation::drain_in_calm() {
  run_until(std::max(fate_.now_ns(), fate_.trouble_end_ns() + calm_after_ns), [] { return false; });
  calm_from_.assign(source_.subjects() + 1, 0);
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    calm_from_[subject] = source_.events(subject).empty() ? 1 : source_.events(subject).back().sequence + 1;
  for (const auto& [number, place] : places_)
    if (place.process && !place.process->has_ended())
      at(some(0, drains_ns), [this, number] { drain_soon(number); });
  for (std::size_t i = 0; i < events; ++i)
    at(some(0, drains_ns), [this, subject = 1 + fate_.below(source_.subjects())] {
      source_.add(subject, 1, false, false);
      tell_of(subject);
    });
  run_until(fate_.now_ns() + drains_ns + goodbye_ns, [] { return false; });
}

void Simulation::drain_soon(sim::PlaceId number) {
  const Place& place = places_[number];
  if (!place.process || place.process->has_ended()) return;
  ++met_.calm_drains;
  drain_process(number);
  at(goodbye_ns, [this, &place, starts = place.starts] {
    if (place.starts == starts && place.process && !place.process->has_ended())
      violate(Promise::drain, fmt::format("{} is drained and does not say goodbye", place.name));
  });
}

// A lambda that others need may run again for its outputs.
void Simulation::check_calm(const sim::EventStart& start) {
  if (calm_from_.empty() || start.sequence < calm_from_[start.subject] || is_needed_[start.lambda]) return;
  if (checkers_.is_poison(all_.lambdas[start.lambda].topology, start.subject, start.sequence)) return;
  if (!began_in_calm_.insert({start.lambda, start.subject, start.sequence}).second)
    violate(Promise::drain, to_text(start) + " runs twice, and nothing has failed");
  if (start.is_first && start.attempt > 0)
    violate(Promise::drain, to_text(start) + " has attempts, and nothing has failed");
}

}  // namespace cape::scheduler
