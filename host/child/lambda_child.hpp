// host/child/lambda_child.hpp
// LambdaChild is one sandboxed process that runs one lambda, seen from the host: jobs go in over shared
// memory, results come out, and every way it can end becomes one Ended with its reason. It decides nothing:
// which job goes where, when to cancel and when to kill is its owner's business.
// Thread: one thread, never blocks. The destructor kills the child and waits for the kernel to confirm.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/frames.hpp"
#include "host/child/sandbox/usage.hpp"
#include "wire/messages.hpp"

namespace cape::child {

class Spare;

struct ChildReady {  // sandboxed, loaded, created: it takes jobs
  SandboxReport sandbox;
  ManifestReport manifest;
};
struct ChildLog {
  int severity = 1;           // CAPE_LOG_*
  std::string text;           // printable
  std::uint64_t dropped = 0;  // lines the rate limit took since the last one
};
// A number that the plugin counts. A counter never falls; a gauge is the sum of what was added.
struct ChildMetric {
  std::string name;
  bool is_gauge = false;
  double value = 0;  // finite
};
// Final for a job: it will not be reported again.
struct ChildJobDone {
  wire::JobStatus status;
  std::vector<std::string> outputs;       // one an event that is done; empty when the lambda emits none
  LambdaFault fault = LambdaFault::none;  // of the event that failed; as the child says
};
// Last report of a child; no process of it is left.
struct ChildEnded {
  Outcome end;  // setup, signaled, hung, violation, oom, exited, protocol, external_kill; ok: it
                // was asked to stop and did; reason names plugin, phase, event and what happened
  // What itself ended it, where `end` says SETUP of whatever stops a start: HUNG, SIGNALED, BAD_CONFIG, ...
  OutcomeKind cause = OutcomeKind::ok;
  std::string check;  // of intake's quick set ("S5", "L2"), if it is that which it fails
  bool had_started_an_event = false;
  // What it leaves: jobs given to it and not reported, in the order given. The first may have run in part:
  // its `status` then tells what is known done; started says whether the event after that was running.
  std::vector<wire::JobStatus> left;
  // Several events were in one call (or one batch before its flush), so nobody knows which one did it: none
  // is counted, and the first `rerun_singly` of `left` are to be submitted again with `singly`.
  std::size_t rerun_singly = 0;
};
using LambdaReport = std::variant<ChildReady, ChildLog, ChildJobDone, ChildEnded>;

class LambdaChild {
 public:
  virtual ~LambdaChild() = default;

  // Readable when poll() has something to do.
  virtual int fd() const = 0;
  virtual int pid() const = 0;  // of its reaper, in our pid namespace; 0 once ended
  // Appends what the child reported since. Call it when fd() is readable, and at least every few hundred ms
  // until ChildReady (it watches the start timeout) and while jobs are out (a result published just before a
  // slow event may come without a doorbell).
  virtual void poll(std::vector<LambdaReport>& out) = 0;

  // Queues a job behind those given before. false: its ring is full, or the child still owes the answer to a
  // take_back(); nothing changed. Copies the events. Of a job larger than the ring the first events are
  // given, and the others come back as CANCELLED and not started. `singly`: one event a call and a flush.
  virtual bool submit(const wire::RunJob& job, bool singly = false) = 0;
  virtual void wake() = 0;  // after one or more submits: rings the doorbell if the child sleeps

  // Jobs given and not reported; of the oldest unfinished event: when it started or last sent a heartbeat
  // (boot time), 0 if none runs.
  virtual std::size_t jobs_out() const = 0;
  struct Running {
    JobId job = 0;
    Sequence sequence = 0;
    std::int64_t seen_started_ns = 0;    // when running() first saw it
    std::int64_t seen_heartbeat_ns = 0;  // when running() last saw its heartbeat change
  };
  // One look at the child's shared words; call it at least every few hundred ms while jobs are out.
  virtual Running running() = 0;

  // The plugin's own numbers as they stand, at most metrics_max; also after its end.
  virtual std::vector<ChildMetric> metrics() const = 0;

  // What its process uses; nullopt: not known, now or on this machine.
  virtual std::optional<ChildUsage> usage() = 0;

  // No event above those already started will start; what had not begun comes back as CANCELLED and not
  // started. The handshake is exact (docs/protocol.md): jobs above the running one are reported by the next
  // poll(), without waiting for the child; the rest of the running one when its event has ended.
  virtual void take_back() = 0;
  virtual void cancel() = 0;                             // is_cancelled() turns true for the running event
  virtual void set_lease_end(std::int64_t boot_ns) = 0;  // the reaper kills the child when it has passed
  virtual void stop() = 0;                               // destroy, deinit, exit: after the jobs it has
  // SIGKILL to everything in it. `why` becomes the reason of Ended (HUNG for a hang, ...).
  virtual void kill(Outcome why) = 0;
};

// Returns at once; ChildReady or ChildEnded follows by poll(). Of what waits in `spare`, if that fits. Error:
// no process could be made.
Result<std::unique_ptr<LambdaChild>> start_lambda_child(const ChildSpec& spec, Spare* spare = nullptr);

}  // namespace cape::child
