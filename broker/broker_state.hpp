// broker/broker_state.hpp
// BrokerState holds the parts of one broker, wired to each other. Private to the dispatcher and to the files
// that read it for people (admin methods, monitor). Made once, in the order of the members; never moved.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/admin_server.hpp"
#include "broker/baselines.hpp"
#include "broker/canary_desk.hpp"
#include "broker/coverage.hpp"
#include "broker/dispatcher.hpp"
#include "broker/failure_log.hpp"
#include "broker/frontend.hpp"
#include "broker/hosts.hpp"
#include "broker/idle_check.hpp"
#include "broker/journals.hpp"
#include "broker/latencies.hpp"
#include "broker/monitor.hpp"
#include "broker/operators.hpp"
#include "broker/pin_desk.hpp"
#include "broker/publisher.hpp"
#include "broker/refresh.hpp"
#include "broker/replay_desk.hpp"
#include "broker/replays.hpp"
#include "broker/saver.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/source_link.hpp"
#include "broker/source_plugins.hpp"
#include "broker/subjects.hpp"
#include "broker/tracked_shadows.hpp"
#include "broker/tracker/tracker.hpp"
#include "broker/why.hpp"
#include "core/clock.hpp"
#include "host/child/intake.hpp"

namespace cape::broker {

inline constexpr std::size_t pinged_subjects_max = 200'000;

struct BrokerState {
  BrokerState(DispatcherOptions given, std::vector<storage::HostLease> recorded, std::int64_t now_ns);

  DispatcherOptions options;
  scheduler::SchedulerPlan plan;
  scheduler::Scheduler scheduler;
  Subjects subjects;
  std::vector<SourceLink> links;  // by DomainIndex; shadows have none, they read their live domain's
  SourcePlugins source_plugins{options.config, links};
  tracker::Tracker tracker;
  Coverage coverage;
  Refresh refresh;
  Saver saver;
  Baselines baselines;
  Operators operators;
  Hosts hosts;
  Publisher publisher;
  Latencies latencies;
  TrackedShadows shadow_reads{links, tracker, latencies};
  Replays replays;
  WhyDesk whys{*this};
  ReplayDesk replay_desk{*this};
  PinDesk pin_desk{*this};
  CanaryDesk canaries{*this};
  Journals journals;

  // Opened after construction, since each can fail.
  Result<void> open();
  std::unique_ptr<child::Intake> intake;
  std::unique_ptr<Frontend> frontend;
  std::unique_ptr<AdminServer> admin;
  std::unique_ptr<Monitor> monitor;

  struct LastFailure {  // of a topology, for people
    std::string subject, reason;
    Sequence sequence = 0;
  };
  std::map<TopologyIndex, LastFailure> last_failures;
  FailureLog failure_log;
  std::string store_trouble;  // why the last commit failed; empty: it did not
  std::int64_t started_ns = 0;

  const Config& config() const { return options.config; }
  // nullopt: not in the config, nor the shadow of a replay that runs
  std::optional<DomainIndex> domain_index(std::string_view name) const;
  // Of a shadow in which nothing runs: it is not told of.
  bool is_hidden(TopologyIndex topology) const {
    return plan.topologies[topology].shadow && !replays.runs(topology);
  }
};

}  // namespace cape::broker
