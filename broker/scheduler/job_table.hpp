// broker/scheduler/job_table.hpp
// JobTable knows every job that is out. A ring indexed by the job id's low bits: a look-up is one access and
// nothing is hashed. A slot that is still taken when the counter comes round is skipped, for ids need to
// rise, not to be dense; so one job that runs for hours does not make the ring grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "broker/scheduler/subject.hpp"

namespace cape::scheduler {

struct Job {
  JobId id = 0;  // 0: the slot is free
  HostId host = 0;
  SubjectSlot slot = no_slot;
  std::uint32_t lane = 0;
  EventRange events;
  std::int64_t issued_ns = 0;  // boot time
  std::uint64_t outputs_bytes_max = 0;
};

class JobTable {
 public:
  // Ids are above epoch << 40. Requires: epoch > 0.
  explicit JobTable(std::uint32_t epoch);

  JobId add(Job job);  // gives it the next id
  const Job* find(JobId id) const;
  Job take(JobId id);                             // requires: it is in the table
  std::vector<JobId> of_host(HostId host) const;  // rising
  std::size_t size() const { return size_; }

 private:
  Job& slot_of(JobId id) { return ring_[id & (ring_.size() - 1)]; }
  void grow();

  std::vector<Job> ring_;  // a power of two, at most half full
  std::size_t size_ = 0;
  JobId next_;
  JobId end_;  // first id of the next epoch
};

}  // namespace cape::scheduler
