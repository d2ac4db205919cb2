// The checks that a child makes itself, beside the life that a lambda has in production:
// host/child/runner/drill.hpp.
#include <fmt/format.h>

#include "host/check/lambda_runs.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::check {
namespace {

Finding check_leaks(const Bench& bench) {
  LambdaTrial trial;
  return drilled(bench, "C2", {}, trial);
}

Finding check_fences(const Bench& bench) {
  LambdaTrial trial;
  return drilled(bench, "C8", one_each(events_of("fences", edge_payloads())), trial);
}

Finding check_beats(const Bench& bench) {
  LambdaTrial trial;
  return drilled(bench, "C11", one_each(events_of("beats", {"x"})), trial);
}

Finding check_instances(const Bench& bench) {
  const std::vector<wire::RunJob> jobs = {job_of(1, seeded_events(bench, "instances", 20))};
  LambdaTrial alone, crowded;
  if (Finding bad = run(bench, jobs, alone); bad.verdict != Verdict::pass) return bad;
  const bool shares = (alone.ready->manifest.lambda_flags & CAPE_LAMBDA_SHARES_STATE) != 0;
  if ((bench.manifest.wants & CAPE_WANTS_STATE) != 0 && !shares)
    return {Verdict::skipped, "not checked: its instances do not share a state directory, so it has one"};
  if (Finding bad = drilled(bench, "C12", jobs, crowded); bad.verdict != Verdict::pass) return bad;
  if (summary(alone) == summary(crowded)) return {};
  if (varies(alone, [&](LambdaTrial& trial) { return run(bench, jobs, trial); })) return skipped_as_it_varies();
  return {Verdict::fail,
          "with other instances in its process it gives something else; keep what it knows in "
          "the instance, not in globals"};
}

Finding check_extensions(const Bench& bench) {
  LambdaTrial trial;
  return drilled(bench, "C13", {}, trial);
}

Finding check_silence(const Bench& bench) {
  LambdaTrial trial;
  return drilled(bench, "C14", {}, trial);
}

Finding check_older_host(const Bench& bench) {
  LambdaTrial trial;
  std::vector<wire::RunJob> jobs = one_each(events_of("older", {"", "x"}));
  jobs.push_back(job_of(jobs.size() + 1, seeded_events(bench, "older", 20)));
  Finding bad = drilled(bench, "F3", jobs, trial);
  if (is_bad(bad.verdict))
    bad.text += fmt::format(
        " (with the tables of ABI {}.{}: ask CAPE_HAS before you use a newer field, or raise "
        "CAPE_ABI_MIN_MINOR)",
        bench.manifest.abi_major, bench.manifest.abi_min_minor);
  return bad;
}

constexpr Check of_drills[] = {
    {"C2", "create and destroy leave no memory, no descriptor and no thread behind", check_leaks},
    {"C8", "it reads payloads to their end and writes nothing there", check_fences},
    {"C11", "heartbeats come from the thread of the call", check_beats},
    {"C12", "further instances change nothing", check_instances},
    {"C13", "it has no extension that there is not", check_extensions},
    {"C14", "it calls nobody after destroy", check_silence},
    {"F3", "it runs on the oldest host that its manifest names", check_older_host},
};

}  // namespace

std::span<const Check> drill_checks() {
  return of_drills;
}

}  // namespace cape::check
