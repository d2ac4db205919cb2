// Lambdas of which two versions run. Which of them a subject has is said at random, and again when the broker
// starts anew, as one does that has stored it.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

// In the words of this life; nullopt: its topology is not known.
std::optional<Split> Simulation::split_of(LambdaIndex lambda) {
  const auto here = std::ranges::find(life_.lambda_of, lambda);
  if (here == life_.lambda_of.end()) return std::nullopt;
  Split split = splits_[lambda];
  split.lambda = static_cast<LambdaIndex>(here - life_.lambda_of.begin());
  return split;
}

// A promotion makes the candidate's slot the stable one, and everybody stays; else anything may come.
void Simulation::move_canary() {
  if (!in_trouble()) return;
  at(some(20 * ms, 300 * ms), [this] { move_canary(); });
  ++met_.splits;
  const LambdaIndex lambda = config_.canaries[fate_.below(config_.canaries.size())];
  Split& split = splits_[lambda];
  if (split.share == split_whole && chance(0.5))
    split = {.stable_in_twin = !split.stable_in_twin, .share = 0};
  else if (chance(0.4))
    split.share = chance(0.5) ? 0 : split_whole;
  else
    split = {.stable_in_twin = chance(0.5), .share = static_cast<std::uint32_t>(fate_.below(split_whole))};
  if (const auto told = split_of(lambda)) step({*told});
}

void Simulation::check_version(const IssueJob& issued) {
  const LambdaSpec& spec = life_.plan.lambdas[issued.lambda];
  if (!spec.twin) return;
  met_.twin_jobs += spec.is_twin;
  const Split& split = splits_[life_.lambda_of[issued.lambda]];
  const bool is_candidate = spec.is_twin != split.stable_in_twin;
  if (split.share == (is_candidate ? 0 : split_whole))
    violate(Promise::acts, fmt::format("{} in the slot that nobody has", to_text(Action{issued})));
}

}  // namespace cape::scheduler
