// The checks that load a plugin, each in a child of its own. The child names the check that it fails.
#include <fmt/format.h>

#include "core/clock.hpp"
#include "host/check/check.hpp"
#include "host/check/specs.hpp"
#include "host/check/trial.hpp"

namespace cape::check {
namespace {

constexpr std::int64_t start_ms_good = 100, start_ms_max = 5'000;

Finding load(const Bench& bench, LambdaTrial& trial, const char* drill = "") {
  TrialSpec spec = inspection_of(bench);
  spec.drill = drill;
  Result<LambdaTrial> ran = try_lambda(spec, {}, {.ms_max = check_ms_max});
  if (!ran) return {Verdict::skipped, fmt::format("not checked: {}", ran.error().message)};
  trial = std::move(*ran);
  return {};
}

// Another cause came first, so nothing is known of this one.
Finding unknown(const LambdaTrial& trial) {
  if (trial.ended.check.empty())
    return {Verdict::skipped, fmt::format("not checked: {}", trial.ended.end.reason)};
  return {Verdict::skipped, fmt::format("not checked: it fails {} first", trial.ended.check)};
}

Finding judge_check(const Bench& bench, const char* id) {
  LambdaTrial trial;
  if (Finding bad = load(bench, trial); bad.verdict != Verdict::pass) return bad;
  if (trial.ended.check == id) return judge_end(trial);
  return trial.ready ? Finding{} : unknown(trial);
}

Finding check_load(const Bench& bench) {
  return judge_check(bench, "L1");
}
Finding check_walls(const Bench& bench) {
  return judge_check(bench, "L2");
}
Finding check_tables(const Bench& bench) {
  return judge_check(bench, "L4");
}
Finding check_factories(const Bench& bench) {
  return judge_check(bench, "L5");
}
// A thread that is left over ends with the process, so it keeps no file out: the drill is not a host's.
Finding check_leaving(const Bench& bench) {
  if (Finding bad = judge_check(bench, "L6"); bad.verdict != Verdict::pass) return bad;
  LambdaTrial trial;
  if (Finding bad = load(bench, trial, "L6"); bad.verdict != Verdict::pass) return bad;
  if (trial.ended.check != "L6") return {};
  Finding found = judge_end(trial);
  if (found.verdict == Verdict::fail) found.verdict = Verdict::warning;
  return found;
}

Finding check_start_time(const Bench& bench) {
  LambdaTrial trial;
  if (Finding bad = load(bench, trial); bad.verdict != Verdict::pass) return bad;
  if (!trial.ready) return unknown(trial);
  const std::int64_t took_ms = trial.start_ns / ns_per_ms;
  if (took_ms <= start_ms_good) return {Verdict::pass, fmt::format("{} ms", took_ms)};
  return {
      took_ms > start_ms_max ? Verdict::fail : Verdict::warning,
      fmt::format("its start took {} ms; every replaced child waits for it: do less in constructors and init",
                  took_ms)};
}

constexpr Check loading[] = {
    {"L1", "its library loads, and init succeeds", check_load},
    {"L2", "it loads inside the walls", check_walls},
    {"L3", "its start is quick", check_start_time},
    {"L4", "its tables are whole and of the ABI that its manifest names", check_tables},
    {"L5", "it has what its manifest names, under whole ids alone", check_factories},
    {"L6", "it goes when asked and leaves no thread behind", check_leaving},
};

}  // namespace

std::span<const Check> load_checks() {
  return loading;
}

}  // namespace cape::check
