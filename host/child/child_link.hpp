// ChildLink joins the host to one child: request frames in, response frames out, doorbells, and the facts of
// its end. It knows frames, not what they mean. Everything the child wrote is checked here or in
// responses.hpp. Thread: one. Never blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/rate_limit.hpp"
#include "host/child/child_end.hpp"
#include "host/child/doorbell.hpp"
#include "host/child/given_jobs.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/process.hpp"
#include "host/child/ring.hpp"
#include "host/child/sandbox/usage.hpp"

namespace cape::child {

class ChildLink {
 public:
  // The child's own limit is as high and has half the burst, so an honest one loses nothing here.
  static constexpr std::int64_t burst_s = 4;
  // What one poll takes at most, and how often it finds more after it had read all: a child that writes
  // without end, be it padding alone, must not keep its host. The rest waits for the next poll.
  static constexpr std::uint64_t frames_per_poll_max = 16'384;
  static constexpr std::uint64_t bytes_per_poll_max = 16u << 20;  // one larger frame still passes
  static constexpr std::uint64_t rings_per_poll_max = 4;
  static constexpr std::uint64_t rounds_per_poll_max = 64;

  ChildLink(ChildSpec spec, std::unique_ptr<ChildProcess> process);

  const ChildSpec& spec() const { return spec_; }
  ChildProcess& process() const { return *process_; }
  RequestHeader& request() { return process_->request(); }
  bool takes_requests() const { return !breach_ && !kill_why_ && !stop_asked_ && process_->end() == nullptr; }
  std::uint64_t request_body_bytes_max() const { return body_bytes_max(process_->ring_bytes()); }

  // Place of the body of a new request; nullptr: no room now. publish() makes it visible to the child.
  std::uint8_t* open_request(FrameKind kind, std::uint64_t body_bytes);
  void publish_request();
  void wake();

  // One poll: begin, next until nullopt, and if ended() then end_facts(). Bounded whatever the child writes.
  ChildProcess::Events begin_poll();
  std::optional<Frame> next();
  bool ended() const { return seen_end_; }
  EndFacts end_facts() const;

  // Lines that the child logs, at most limits.log_lines a second after a burst. It limits itself too, but
  // what it writes into its own memory is its own affair. nullopt: held back and counted.
  std::optional<ChildLog> admit(ChildLog line);
  // After the frames of a poll: how many were held back, at most once a second.
  std::optional<ChildLog> tell_held_back();

  void set_ready() { ready_ = true; }
  bool ready() const { return ready_; }
  ChildWords words() const;
  std::uint64_t heartbeat() const;
  Result<void> take_metric(std::span<const std::uint8_t> body);
  std::vector<ChildMetric> metrics() const;

  // Of one that is ready and has not ended. Rlimits count what was mapped, and there are ways round that. Where no
  // control group counts what is used, a child that is seen to use more than it may is killed.
  std::optional<ChildUsage> usage();
  void stop();
  void kill(Outcome why);
  // The child broke the contract: nothing it says is read any more, and it is killed.
  void break_off(const Error& error);

 private:
  // What is left of one poll.
  struct Turn {
    std::uint64_t frames = 0, bytes = 0, rounds = 0;
    bool over() const { return frames == 0 || bytes == 0 || rounds == 0; }
  };

  void watch_start();
  Result<std::optional<Frame>> read_frame();
  void publish_tail();
  bool sleep_again();
  void put_off();

  ChildSpec spec_;
  std::unique_ptr<ChildProcess> process_;
  RingWriter writer_;
  PeerIndex request_tail_{"request_tail"};
  CopyingReader reader_;
  DoorbellOnce doorbell_;
  LineLimit lines_;
  UsageReader usage_;
  Turn left_;
  std::vector<ChildMetric> metrics_;  // by id - 1; their values are looked up when asked for
  std::int64_t start_deadline_ns_;
  bool ready_ = false, stop_asked_ = false, seen_end_ = false;
  std::optional<std::string> breach_;
  bool breach_of_contract_ = false;
  std::optional<Outcome> kill_why_;
  std::string stderr_tail_;
};

// ChildLogs of what the plugin wrote on stderr.
std::vector<ChildLog> to_logs(const ChildProcess::Events& events);

}  // namespace cape::child
