#include "tests/sim/options.hpp"

#include <fmt/format.h>

namespace cape::scheduler {
namespace {

constexpr std::uint64_t shapes = 6;

// The bits of a seed that say what else it meets: consecutive seeds shall differ in all of them.
std::uint64_t mixed(std::uint64_t seed) {
  seed += 0x9e3779b97f4a7c15;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  return seed ^ (seed >> 31);
}

}  // namespace

SimulationOptions options_for(std::uint64_t seed) {
  SimulationOptions options{.seed = seed};
  if (seed % 3 == 0) {
    options.subjects = 3;
    options.backlog_max = 120;
    options.waiting_bytes_max = 1u << 20;
    options.timers_max = 1000;
    options.jobs_per_host = 8;
  } else if (seed % 3 == 2) {
    options.subjects = 40;
    options.backlog_max = 12;
    options.waiting_bytes_max = 700;
    options.timers_max = 2;
  }
  options.shape = static_cast<PlanShape>(seed / 3 % shapes);
  const std::uint64_t bits = mixed(seed);
  options.poison = (bits & 1) != 0;
  options.operators = (bits & 2) != 0;
  options.config_changes = (bits & 4) != 0;
  options.late_events = (bits & 8) != 0;
  options.lying_source = (bits & 48) == 0;
  options.park_after = (bits & 192) == 0;
  // What stops a lane there is not its oldest event, as the checkers take it to be.
  if (options.shape == PlanShape::latest) options.poison = options.park_after = false;
  options.jobs_in_all = (bits & 768) == 0 ? 3 : 0;
  if ((bits & 0x3000) == 0) options.shape = PlanShape::needs;
  if ((bits & 0x1c000) == 0) options.backlog_max = 0;
  options.canaries = (bits & 0x60000) == 0;
  // What a replay's read goes over before it shows, what is live may yet be given.
  options.replays = (bits & 0x80000) == 0 && options.operators && !options.late_events;
  options.baseline = (bits & 3072) == 0 && options.shape != PlanShape::latest;
  return options;
}

std::string to_text(const SimulationOptions& options) {
  static constexpr const char* names[] = {"strict", "pipelined", "chain", "join",
                                          "latest", "limits",    "needs"};
  std::string text = fmt::format("seed {}: plan {}, {} subjects", options.seed,
                                 names[static_cast<std::size_t>(options.shape)], options.subjects);
  if (options.operators) text += ", operators";
  if (options.poison) text += ", poison";
  if (options.park_after) text += ", park_after";
  if (options.config_changes) text += ", config changes";
  if (options.late_events) text += ", late events";
  if (options.baseline) text += ", a baseline";
  if (options.canaries) text += ", canaries";
  if (options.replays) text += ", replays";
  if (options.lying_source) text += ", a lying source";
  if (options.backlog_max == 0) text += ", a large backlog";
  if (options.jobs_in_all > 0) text += ", hosts shared by weight";
  return text;
}

}  // namespace cape::scheduler
