// Control groups: where this machine lets us make them, and the group of one child, in which all of its
// processes are counted and limited together: memory (page tables, pipes and files in memory too), processes,
// and the processor. Version 2 wherever it has the controllers, else version 1.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/unique_fd.hpp"

namespace cape::child {

// Directories below which groups of children are made, each for its controllers; one for all in version 2.
struct CgroupPlace {
  int version = 0;  // 0: nowhere
  fs::path memory, pids, cpu;
  std::string missing;  // version 0: why, and what would help
};

// The groups this process is in, as /proc/self/mountinfo and /proc/self/cgroup tell. Nothing is looked at.
CgroupPlace cgroup_v1_place(std::string_view mountinfo, std::string_view cgroup);
CgroupPlace cgroup_v2_place(std::string_view mountinfo, std::string_view cgroup);

// Tries by making a group, and removes what hosts that were killed have left. In version 2 this process may
// have to move one group down, since a group with processes of its own gives its children no controllers.
CgroupPlace find_cgroup_place();

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;  // threads count
  double cores = 0;             // of processor time; 0: no limit
};

// How a new process gets into its group at once. To move another one, as join() does, waits until every
// processor has been seen at rest (a grace period of RCU): 5 to 15 ms.
struct GroupDoors {
  std::vector<UniqueFd> tasks;  // version 1: it writes "0" into each, before it has a second thread
  UniqueFd group;               // version 2: for CLONE_INTO_CGROUP
};

class ChildGroup {
 public:
  ChildGroup() = default;                                    // none
  static Result<ChildGroup> make(const CgroupPlace& place);  // without limits
  ChildGroup(ChildGroup&& other) noexcept;
  ChildGroup& operator=(ChildGroup&& other) noexcept;
  ~ChildGroup();  // removes it; its processes are gone

  bool exists() const { return !dirs_.empty(); }
  Result<void> limit(const CgroupLimits& limits) const;
  // Whoever comes in does so before it makes a thread or another process: those are in the group from their
  // start.
  Result<GroupDoors> open_doors() const;  // none of no group
  Result<void> join(pid_t pid) const;
  // The kernel ended a process of it for want of memory.
  bool ran_out_of_memory() const;
  const std::vector<fs::path>& dirs() const { return dirs_; }  // the memory controller's first

 private:
  void remove();

  std::vector<fs::path> dirs_;
};

}  // namespace cape::child
