#include "broker/stored_inputs.hpp"

#include <algorithm>

#include "core/log.hpp"

namespace cape::broker {
namespace {

// What operators paused in an earlier life holds before the first event is read.
void add_pauses(BrokerState& b, std::vector<scheduler::Input>& inputs) {
  auto rows = b.options.store.paused_topologies();
  if (!rows) return log::error("store", "reading what is paused: {}", rows.error().message);
  for (storage::PausedTopology& row : *rows) {
    const auto at = std::ranges::find(b.plan.topologies, row.topology, &scheduler::TopologySpec::name);
    if (at == b.plan.topologies.end()) continue;  // left the config; the row stays for its return
    inputs.push_back(
        scheduler::PauseTopology{.topology = static_cast<TopologyIndex>(at - b.plan.topologies.begin()),
                                 .paused = true,
                                 .reason = std::move(row.reason)});
  }
}

// Where topologies begin is known, or scanned for.
Result<void> add_baselines(BrokerState& b, std::vector<scheduler::Input>& inputs) {
  auto stored = b.options.store.baselines();
  if (!stored) return std::unexpected(stored.error());
  for (TopologyIndex topology : b.baselines.open(std::move(*stored)))
    inputs.push_back(scheduler::BaselineDone{topology});
  return {};
}

}  // namespace

Result<std::vector<scheduler::Input>> stored_inputs(BrokerState& b) {
  std::vector<scheduler::Input> inputs;
  add_pauses(b, inputs);
  if (auto known = b.options.store.coverage())
    b.coverage.open(std::move(*known));
  else
    log::error("store", "reading what is proven: {}", known.error().message);
  if (auto added = add_baselines(b, inputs); !added) return std::unexpected(added.error());
  auto pins = b.options.store.pins();
  if (!pins) return std::unexpected(pins.error());
  b.pin_desk.open(std::move(*pins));
  auto canaries = b.options.store.canaries();
  if (!canaries) return std::unexpected(canaries.error());
  b.canaries.open(std::move(*canaries), SystemClock().now(), inputs);
  auto replays = b.options.store.replays();
  if (!replays) return std::unexpected(replays.error());
  b.replays.open(std::move(*replays));
  return inputs;
}

}  // namespace cape::broker
