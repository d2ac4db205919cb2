// host/child/process.hpp
// ChildProcess is the process side of a child: cape-runner in namespaces of its own, its reaper, its
// descriptors, and how it ended. It knows nothing of events. Destruction kills everything in it and waits
// for the kernel to confirm. Thread: one, which must live as long as the child (the kernel kills a child when
// the thread that made it ends); start() and the destructor may take a millisecond, nothing else blocks.
//
//   our process ── clone(NEWUSER|NEWPID|NEWNS|NEWNET|NEWIPC|NEWUTS) ─▶ reaper (pid 1 inside, runs no plugin
//   code)
//                                                                        └─ fork ─▶ plugin process (pid 2)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/layout.hpp"

namespace cape::child {

class Spare;

struct ProcessEnd {
  bool reaper_lost = false;  // the reaper itself was killed; wait_status is then its own
  std::int32_t wait_status = 0;
  bool lease_passed = false;
  bool killed_by_us = false;
  bool out_of_memory = false;  // the kernel killed it for that; known of a child in a group of its own alone
  std::uint64_t user_us = 0, system_us = 0, peak_kib = 0;
};

class ChildProcess {
 public:
  // Clones and execs the runner, or takes the one that `spare` has; makes both memfds (ring_bytes each behind
  // a header page), writes Setup and lets the runner go.
  static Result<std::unique_ptr<ChildProcess>> start(const ChildSpec& spec, Spare* spare = nullptr);
  virtual ~ChildProcess() = default;

  virtual int fd() const = 0;   // readable when poll() has something: doorbell, stderr, end
  virtual int pid() const = 0;  // of the reaper
  virtual int control_fd() const = 0;
  virtual RequestHeader& request() = 0;  // mapped read-write; ring bytes behind it
  virtual std::uint8_t* request_ring() = 0;
  // Makes [from, from + bytes) of the request ring safe to write (backed by memory). Error: no memory.
  virtual Result<void> back_request(std::uint64_t from, std::uint64_t bytes) = 0;
  virtual const ResponseHeader& response() const = 0;  // mapped read-only
  virtual int response_memfd() const = 0;
  virtual std::uint64_t ring_bytes() const = 0;
  // What its processes may have in memory. 0: a control group sees to it, or nothing is to.
  virtual std::uint64_t memory_most() const { return 0; }

  struct Events {
    bool doorbell = false;
    std::vector<std::string> stderr_lines;  // printable, bounded, rate limited
    std::uint64_t stderr_dropped = 0;       // lines
  };
  virtual Events poll() = 0;
  // Set once every process of the child is gone.
  virtual const ProcessEnd* end() const = 0;
  virtual void ring_doorbell() = 0;
  // Stores request().lease_end_ns; the first one also wakes the reaper, which has no timer until then.
  virtual void set_lease_end(std::int64_t boot_ns) = 0;
  virtual void kill() = 0;
};

// Makes the id, the seccomp programs and the level table once per process; called by start().
// What a child can reach on this machine, found by trying; for `cape doctor` and error texts.
struct Probe {
  char level = 'D';
  std::string missing;
};
Probe probe_sandbox();

}  // namespace cape::child
