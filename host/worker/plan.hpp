// host/worker/plan.hpp
// What the config means for a host: the plan of its worker, what a lambda's child is, and which plugin serves
// a lambda. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/intake.hpp"
#include "host/worker/worker.hpp"

namespace cape::host {

// One lambda of one topology. Points into the Config.
struct LambdaPlace {
  const TopologyConfig* topology = nullptr;
  const LambdaConfig* lambda = nullptr;
  bool twin = false;  // the second slot of one that has a canary
  bool by_broker =
      false;  // the broker says which version serves: it has a canary, or is a replay of one that has
  std::string name() const { return topology->name + "/" + lambda->name + (twin ? " (twin)" : ""); }
};
// By LambdaIndex: those of the config, and behind them the twins of those that have a canary.
std::vector<LambdaPlace> lambdas_of(const Config& config);
// What a hello says of them.
std::vector<wire::HostLambda> names_of(const std::vector<LambdaPlace>& places, const Config& config);

WorkerPlan plan_of(const Config& config);

// How often the words of children with jobs must be looked at, so that no timeout is noticed late.
std::int64_t look_interval_ns(const WorkerPlan& plan);

child::ChildSpec spec_of(const Config& config, const LambdaPlace& place, child::PluginImagePtr image);

// What the plugin directories hold now.
struct Shelves {
  std::vector<child::PluginImagePtr> serving;
  std::vector<child::PluginImagePtr> standing_by;  // good, but other bytes of their id serve
  std::map<std::string, std::string> pin_troubles;  // by plugin: why its pin finds no bytes
  std::map<std::string, std::int64_t> since_wall_ns;  // by hash: since when it serves, or stands by
  std::vector<wire::SetAside> set_aside;
  std::vector<child::PluginImagePtr> named;  // those that the broker has named, and that are here
  // By plugin, the newest bytes that a file of the directories had: of those that have a file, and of those whose
  // last one was removed.
  std::map<std::string, std::string> newest_hashes;
  bool settled = false;  // every file has been looked at once
};
// The directories have these now, at most one for each plugin.
void note_newest(Shelves& shelves, const std::vector<child::PluginImagePtr>& offered);
// No file of the plugin is left, and none of its bytes here are meant to run but those whose file was removed: so it
// was taken away on purpose. A file that stood over another one, such as a canary's, goes alone.
bool is_withdrawn(const Shelves& shelves, const std::string& plugin);

// What the broker has said; null: nothing yet.
PluginServes serving_of(LambdaIndex index, const LambdaPlace& place, const Shelves& shelves,
                        const wire::ServedVersion* said = nullptr);

// What is told of each file of a plugin with a canary, once the broker has said what its lambdas run: that they are
// to run it, or not, whatever is newest. `serves`: of every lambda.
void correct(std::vector<child::FileVerdict>& files, const std::vector<LambdaPlace>& places,
             const std::map<LambdaIndex, wire::ServedVersion>& said, const std::vector<PluginServes>& serves);

// Lambdas alone: sources are the broker's. Those that serve first, and no more than one message takes.
std::vector<wire::PluginOffer> offers_of(const Shelves& shelves);

}  // namespace cape::host
