// The scan that fixes where a topology begins, page by page, and its part of the store.
#include <algorithm>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr SubjectId subjects_per_page = 3;

}  // namespace

std::vector<Input> Simulation::start_baselines() {
  std::vector<Input> done;
  for (TopologyIndex topology : life_.live()) {
    if (!all_.topologies[topology].from_baseline) continue;
    if (baselines_[topology].done)
      done.push_back(BaselineDone{life_.topology_here[topology]});
    else
      broker_at(some(0, 100 * ms), [this, topology] { scan_page(topology); });
  }
  return done;
}

// What the source has now of the next subjects.
void Simulation::scan_page(TopologyIndex topology) {
  const SubjectId first = baselines_[topology].scanned_to + 1;
  const SubjectId last = std::min(first + subjects_per_page - 1, source_.subjects());
  Baseline page{.scanned_to = last, .done = last == source_.subjects(), .latest = {}};
  for (SubjectId subject = first; subject <= last; ++subject)
    if (source_.latest(subject) > 0) page.latest.emplace(subject, source_.latest(subject));
  broker_at(some(0, 5 * ms), [this, topology, page] { save_page(topology, page); });
}

void Simulation::save_page(TopologyIndex topology, const Baseline& page) {
  const bool fails = in_trouble() && chance(0.1);
  const bool commits = !fails || chance(0.4);
  broker_at(some(ms, 40 * ms), [this, topology, page, fails, commits] {
    if (commits) commit_page(topology, page);
    broker_at(some(0, 2 * ms), [this, topology, page, fails] {
      if (fails) return save_page(topology, page);
      if (!page.done) return broker_at(some(0, 40 * ms), [this, topology] { scan_page(topology); });
      ++met_.baselines;
      step({BaselineDone{life_.topology_here[topology]}});
    });
  });
}

// In one transaction. What is fixed stays: the page may be there from a commit that was not told.
void Simulation::commit_page(TopologyIndex topology, const Baseline& page) {
  Baseline& stored = baselines_[topology];
  ++met_.baseline_pages;
  for (const auto& [subject, latest] : page.latest)
    if (stored.latest.emplace(subject, latest).second) checkers_.on_baseline(topology, subject, latest);
  stored.scanned_to = page.scanned_to;
  stored.done = page.done;
  if (page.done) checkers_.on_baseline_done(topology);
}

}  // namespace cape::scheduler
