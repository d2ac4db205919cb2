// How a child is started once it is known what this machine allows. ChildProcess::start() finds that out by
// trying; a test of the way without namespaces says it.
#pragma once

#include <memory>

#include "host/child/process.hpp"
#include "host/child/sandbox/cgroup.hpp"
#include "host/child/sandbox/filters.hpp"
#include "host/child/sandbox/running_process.hpp"

namespace cape::child {

struct MachineFacts {
  bool namespaces = false;
  FilterSet pure, files;
  CgroupPlace cgroups;
};

// Tried once per process.
const Result<MachineFacts>& machine_facts();

// A runner in namespaces of its own, with its ids and in its control group, which waits to be told what it is
// to be. `host_network`: it shares ours. Knows nothing of a plugin or its limits.
Result<std::unique_ptr<RunningProcess>> start_runner(const MachineFacts& facts, bool host_network);

// `setup_kind`: a ChildKind, or one of setup_kinds.hpp.
Result<std::unique_ptr<ChildProcess>> start_process(const ChildSpec& spec, const MachineFacts& facts,
                                                    std::uint8_t setup_kind);

}  // namespace cape::child
