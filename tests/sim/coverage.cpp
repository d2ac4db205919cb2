// Refresh walks of the simulation that ping nobody: what Coverage claims by them has to be true.
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::int64_t walk_every_ns = 100 * ms;
constexpr std::int64_t look_again_every_ns = 70 * ms;

}  // namespace

void Simulation::start_coverage() {
  if (coverage_) met_.claims += coverage_->claims();
  coverage_ = std::make_unique<CoverageCheck>(life_, source_, checkers_,
                                              [this](SubjectId subject) { return loaded(subject); });
  broker_at(walk_every_ns, [this] { walk_for_coverage(0); });
  broker_at(look_again_every_ns, [this] { look_for_coverage(); });
}

// A subject at a time; meanwhile the world goes on.
void Simulation::walk_for_coverage(SubjectId next) {
  if (next == 0) {
    std::vector<std::string> paused;
    for (TopologyIndex topology : paused_whole_) paused.push_back(all_.topologies[topology].name);
    coverage_->set_paused(std::move(paused));
    coverage_->begin(fate_.now());
  } else {
    coverage_->see(next);
  }
  if (next < source_.subjects()) return broker_at(ms / 2, [this, next] { walk_for_coverage(next + 1); });
  hold_claim(coverage_->end(fate_.now()));
  broker_at(walk_every_ns, [this] { walk_for_coverage(0); });
}

void Simulation::look_for_coverage() {
  hold_claim(coverage_->look_again(fate_.now()));
  broker_at(look_again_every_ns, [this] { look_for_coverage(); });
}

void Simulation::hold_claim(const std::string& wrong) {
  if (!wrong.empty()) violate(Promise::told, wrong);
}

}  // namespace cape::scheduler
