// tests/sim/child.hpp
// Child is a simulated LambdaChild (host/child/lambda_child.hpp says what each call promises): it starts or
// fails to, runs its jobs' events one after the other, and may be slow, hang, crash, give back what it had
// not begun, ignore a cancel, or be killed by its reaper when its lease ends. What it runs stays with it
// until it is polled; where no process is left, nothing runs any more.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/child/lambda_child.hpp"
#include "tests/sim/fate.hpp"
#include "tests/sim/outside.hpp"

namespace cape::sim {

class Child {
 public:
  struct Spec {
    LambdaIndex lambda = 0;  // the run's
    LambdaIndex slot = 0;    // the host's: a lambda with a canary has two
    std::string hash;
    std::int64_t kill_ns = 0;  // how long after its lease its reaper may take
  };
  // `doorbell` is called when poll() has something to do. All that is borrowed must outlive it.
  Child(Fate& fate, Outside& outside, Spec spec, std::function<void()> doorbell);

  void poll(std::vector<child::LambdaReport>& out);
  bool submit(const wire::RunJob& job, bool singly);
  void take_back();
  void cancel();
  void stop();
  void kill(Outcome why);
  void set_lease_end(std::int64_t boot_ns);
  void lose_host();  // its process is gone: this one follows
  child::LambdaChild::Running look();

  bool is_ready() const { return ready_; }
  bool is_gone() const { return gone_; }
  bool has_jobs() const { return !jobs_.empty(); }
  LambdaIndex lambda() const { return spec_.lambda; }
  LambdaIndex slot() const { return spec_.slot; }
  const std::string& hash() const { return spec_.hash; }
  bool lives_on() const { return ready_ && !stopping_ && !dying_ && !gone_; }
  // Since when the job that runs does while another one lies behind it; 0: none does.
  std::int64_t holds_up_since_ns() const { return running_ && jobs_.size() > 1 ? job_began_ns_ : 0; }

 private:
  struct Given {
    wire::RunJob job;
    bool singly = false;
    bool in_one_call = false;  // what its events came to is known when all of them have ended
    bool cut = false;          // the ring had no room for its last events
    std::uint32_t ran = 0;
    std::vector<OutputPtr> outputs;  // of those that ran
    std::uint64_t output_bytes = 0;
    bool is_full() const { return job.outputs_bytes_max > 0 && output_bytes >= job.outputs_bytes_max; }
    wire::JobStatus status;
    std::uint32_t fitting() const { return cut ? job.events.count - 1 : job.events.count; }
  };
  struct Running {
    EventStart start;
    EventFate fate;
    std::int64_t started_ns = 0;
    bool cancelled = false;
  };

  void after(std::int64_t delay_ns, Fate::Deed what);
  void after_event(std::int64_t delay_ns, OutcomeKind end);
  void begin_next();
  void end_event(OutcomeKind end);
  void note_progress(Given& given);
  static void give(Given& given, std::string output);
  void report_done(Outcome end, bool started);
  void give_back_from(std::size_t first);
  void die_soon(Outcome end, std::int64_t most_ns);
  void die(Outcome end);
  wire::JobStatus left_of(const Given& given, bool is_first) const;
  void watch_lease(std::int64_t delay_ns);
  void ring(double lost);

  Fate& fate_;
  Outside& outside_;
  Spec spec_;
  std::function<void()> doorbell_;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);
  bool ready_ = false, stopping_ = false, dying_ = false, gone_ = false, had_started_ = false;
  bool owes_answer_ = false;  // to a take-back
  std::int64_t lease_end_ns_ = 0;
  bool watches_lease_ = false;
  std::deque<Given> jobs_;
  std::optional<Running> running_;
  std::int64_t job_began_ns_ = 0;
  std::uint64_t event_ = 0;  // number of the one that runs, or ran last
  child::LambdaChild::Running seen_;
  std::vector<child::LambdaReport> reports_;
};

}  // namespace cape::sim
