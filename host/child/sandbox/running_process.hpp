// RunningProcess is ChildProcess over a real process: at first a runner that waits (start_runner), from
// begin() on a child, which alone has the memory that ChildProcess speaks of.
#pragma once

#include "host/child/process.hpp"
#include "host/child/sandbox/cgroup.hpp"
#include "host/child/sandbox/shared_memory.hpp"
#include "host/child/sandbox/spawn.hpp"
#include "host/child/sandbox/stderr_lines.hpp"

namespace cape::child {

struct ProcessEnds {  // our ends of what joins us to the child
  UniqueFd control;   // SOCK_SEQPACKET
  UniqueFd reaper;    // SOCK_STREAM
  UniqueFd errors;    // pipe
};

struct ChildParts {  // what there is of a child before it knows its plugin
  ChildGroup group;
  std::string group_missing;  // why there is no group
  ProcessEnds ends;
  Spawned spawned;
  bool namespaces = false;  // pid 1 inside takes everything with it when it ends
};

struct GivenFds {  // of ours; the child gets its own
  int plugin = -1, setup = -1, life = -1;
};

class RunningProcess final : public ChildProcess {
 public:
  explicit RunningProcess(ChildParts parts);
  ~RunningProcess() override;
  Result<void> watch();  // before anything else
  // Tells the runner what it is to be, with the descriptors for it. Once.
  Result<void> begin(SharedMemory memory, const GivenFds& given);
  void set_memory_most(std::uint64_t bytes) { memory_most_ = bytes; }
  const ChildGroup& group() const { return group_; }
  const std::string& group_missing() const { return group_missing_; }

  int fd() const override { return epoll_.get(); }
  int pid() const override { return spawned_.pid; }
  int control_fd() const override { return ends_.control.get(); }
  RequestHeader& request() override { return memory_.request(); }
  std::uint8_t* request_ring() override { return memory_.request_ring(); }
  Result<void> back_request(std::uint64_t from, std::uint64_t bytes) override;
  const ResponseHeader& response() const override { return memory_.response(); }
  int response_memfd() const override { return memory_.response_fd(); }
  std::uint64_t ring_bytes() const override { return memory_.ring_bytes(); }
  std::uint64_t memory_most() const override { return memory_most_; }
  Events poll() override;
  const ProcessEnd* end() const override { return ended_ ? &end_ : nullptr; }
  void ring_doorbell() override;
  void set_lease_end(std::int64_t boot_ns) override;
  void kill() override;

 private:
  Result<void> add(int fd);
  void forget(int fd);
  bool take_doorbells();
  void hang_up();
  void read_errors(Events& events);
  void notice_end(Events& events);
  void bury(bool wait);
  void read_reaper_report();

  ChildGroup group_;
  std::string group_missing_;
  ProcessEnds ends_;
  Spawned spawned_;
  SharedMemory memory_;
  std::uint64_t memory_most_ = 0;
  UniqueFd epoll_;
  StderrLines lines_;
  ProcessEnd end_;
  bool namespaces_;
  bool reaped_ = false;   // the first process is gone
  bool hung_up_ = false;  // nobody holds the other end of the control socket
  bool ended_ = false;
};

}  // namespace cape::child
