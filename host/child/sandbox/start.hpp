// How a child is started once it is known what this machine allows. ChildProcess::start() finds that out by
// trying; a test of the way without namespaces says it.
#pragma once

#include <memory>

#include "host/child/process.hpp"
#include "host/child/sandbox/cgroup.hpp"
#include "host/child/sandbox/filters.hpp"

namespace cape::child {

struct MachineFacts {
  bool namespaces = false;
  FilterSet pure, files;
  CgroupPlace cgroups;
};

// Tried once per process.
const Result<MachineFacts>& machine_facts();

// `setup_kind`: a ChildKind, or one of setup_kinds.hpp.
Result<std::unique_ptr<ChildProcess>> start_process(const ChildSpec& spec, const MachineFacts& facts,
                                                    std::uint8_t setup_kind);

}  // namespace cape::child
