#include "broker/scheduler/job_table.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace cape::scheduler {
namespace {

constexpr int counter_bits = 40;
constexpr std::size_t first_slots = 1024;

}  // namespace

JobTable::JobTable(std::uint32_t epoch)
    : ring_(first_slots),
      next_((JobId{epoch} << counter_bits) + 1),
      end_((JobId{epoch} + 1) << counter_bits) {
  CAPE_CHECK(epoch > 0 && epoch < (1u << (64 - counter_bits)) - 1);
}

JobId JobTable::add(Job job) {
  if (2 * (size_ + 1) > ring_.size()) grow();
  while (slot_of(next_).id != 0) ++next_;
  CAPE_CHECK(next_ < end_);  // a trillion jobs: the restart that follows begins a new epoch
  job.id = next_++;
  slot_of(job.id) = std::move(job);
  ++size_;
  return next_ - 1;
}

const Job* JobTable::find(JobId id) const {
  const Job& job = ring_[id & (ring_.size() - 1)];
  return id != 0 && job.id == id ? &job : nullptr;
}

Job JobTable::take(JobId id) {
  Job& job = slot_of(id);
  CAPE_CHECK(id != 0 && job.id == id);
  --size_;
  return std::exchange(job, Job{});
}

std::vector<JobId> JobTable::of_host(HostId host) const {
  std::vector<JobId> ids;
  for (const Job& job : ring_)
    if (job.id != 0 && job.host == host) ids.push_back(job.id);
  std::ranges::sort(ids);
  return ids;
}

// Ids that differ in their low bits differ in more of them too: no two jobs meet.
void JobTable::grow() {
  std::vector<Job> old(ring_.size() * 2);
  ring_.swap(old);
  for (Job& job : old)
    if (job.id != 0) slot_of(job.id) = std::move(job);
}

}  // namespace cape::scheduler
