// RunningProcess is ChildProcess over a real process. It is made in the order its members stand in: what the
// child needs, then the child, then what watches it.
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

class RunningProcess final : public ChildProcess {
 public:
  // `namespaces`: pid 1 inside takes everything with it when it ends.
  RunningProcess(ChildGroup group, SharedMemory memory, ProcessEnds ends, Spawned spawned, bool namespaces);
  ~RunningProcess() override;
  Result<void> watch();  // before anything else
  const ChildGroup& group() const { return group_; }

  int fd() const override { return epoll_.get(); }
  int pid() const override { return spawned_.pid; }
  int control_fd() const override { return ends_.control.get(); }
  RequestHeader& request() override { return memory_.request(); }
  std::uint8_t* request_ring() override { return memory_.request_ring(); }
  Result<void> back_request(std::uint64_t from, std::uint64_t bytes) override;
  const ResponseHeader& response() const override { return memory_.response(); }
  int response_memfd() const override { return memory_.response_fd(); }
  std::uint64_t ring_bytes() const override { return memory_.ring_bytes(); }
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
  SharedMemory memory_;
  ProcessEnds ends_;
  Spawned spawned_;
  UniqueFd epoll_;
  StderrLines lines_;
  ProcessEnd end_;
  bool namespaces_;
  bool reaped_ = false;   // the first process is gone
  bool hung_up_ = false;  // nobody holds the other end of the control socket
  bool ended_ = false;
};

}  // namespace cape::child
