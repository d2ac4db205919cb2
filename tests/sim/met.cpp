// What runs of the simulation met, counted and told.
#include <fmt/format.h>

#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

void Met::add(const Met& o) {
  steps += o.steps, events += o.events, crashes += o.crashes, walks += o.walks, hosts_lost += o.hosts_lost;
  hung += o.hung, parked += o.parked, overtaken += o.overtaken, acts_done += o.acts_done,
      configs += o.configs;
  late += o.late, lies += o.lies, went_back += o.went_back, unreadable += o.unreadable;
  outages += o.outages, circuits_opened += o.circuits_opened;
  store.failed += o.store.failed, store.unanswered += o.store.unanswered, crashed += o.crashed;
  outputs_dropped += o.outputs_dropped, claims += o.claims, in_trouble += o.in_trouble;
  acknowledged += o.acknowledged, calm_drains += o.calm_drains;
  baseline_pages += o.baseline_pages, baselines += o.baselines;
  late_told += o.late_told, late_jobs += o.late_jobs;
  splits += o.splits, twin_jobs += o.twin_jobs, reads_broken += o.reads_broken;
  replays += o.replays, replays_done += o.replays_done, replays_cancelled += o.replays_cancelled;
  replay_events += o.replay_events;
  hosts.add(o.hosts);
  network.messages += o.network.messages, network.lost += o.network.lost,
      network.doubled += o.network.doubled;
  network.refused += o.network.refused, network.breaks += o.network.breaks;
}

std::vector<std::uint64_t> Met::of_each() const {
  return {events / 1000,
          crashes,
          walks,
          hosts_lost,
          hung,
          parked,
          overtaken,
          acts_done,
          configs,
          late,
          lies,
          went_back,
          unreadable,
          outputs_dropped,
          store.failed,
          store.unanswered,
          crashed,
          outages,
          circuits_opened,
          hosts.fenced,
          hosts.take_backs,
          hosts.drained,
          hosts.cancels,
          hosts.ring_full,
          network.lost,
          network.doubled,
          network.refused,
          network.breaks,
          baseline_pages,
          baselines,
          claims / 10,
          late_told,
          late_jobs,
          acknowledged / 10,
          calm_drains,
          splits,
          twin_jobs / 10,
          replays_done,
          replays_cancelled,
          replay_events / 10,
          reads_broken};
}

std::string to_text(const Met& met) {
  return fmt::format(
      "{} steps, {} events run, {} of them in trouble, {} crashes of the broker, {} new configs, {} walks, "
      "{} hosts lost, {} events "
      "hung, "
      "{} parked, {} unreadable, {} acts done, {} late events, {} lies of the source, {} parked by them, {} "
      "saves "
      "failed, {} unanswered, {} events overtaken, {} outages, {} breakers opened; hosts: {} sessions, {} "
      "children started, {} killed, {} "
      "fenced, {} "
      "events crashed, {} take-backs, {} cancels, {} drained, {} jobs refused by a ring; network: {} "
      "messages, {} lost, {} "
      "doubled, {} not taken, {} breaks; {} times outputs were dropped; {} baseline pages, {} baselines "
      "done, "
      "{} proofs; {} late events told, {} jobs of them; {} pings acknowledged, {} hosts drained in calm; {} "
      "canaries moved, {} jobs of twins, {} replays, {} of them done, {} cancelled, {} events run again, "
      "{} reads broken",
      met.steps, met.events, met.in_trouble, met.crashes, met.configs, met.walks, met.hosts_lost, met.hung,
      met.parked, met.unreadable, met.acts_done, met.late, met.lies, met.went_back, met.store.failed,
      met.store.unanswered, met.overtaken, met.outages, met.circuits_opened, met.hosts.sessions,
      met.hosts.child_starts, met.hosts.kills, met.hosts.fenced, met.crashed, met.hosts.take_backs,
      met.hosts.cancels, met.hosts.drained, met.hosts.ring_full, met.network.messages, met.network.lost,
      met.network.doubled, met.network.refused, met.network.breaks, met.outputs_dropped, met.baseline_pages,
      met.baselines, met.claims, met.late_told, met.late_jobs, met.acknowledged, met.calm_drains, met.splits,
      met.twin_jobs, met.replays, met.replays_done, met.replays_cancelled, met.replay_events,
      met.reads_broken);
}

}  // namespace cape::scheduler
