// host/worker/lambda_worker.hpp
// LambdaWorker decides for one lambda of one topology: its jobs, its children, its credit. Nothing is shared
// between lambdas. Inputs are taken first, then decide() says what follows from all of them. Pure.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/worker/backoff.hpp"
#include "host/worker/crash_record.hpp"
#include "host/worker/worker.hpp"
#include "host/worker/worker_child.hpp"

namespace cape::host {

// What holds for all lambdas of the host.
struct Surroundings {
  std::int64_t now_ns = 0;
  bool session_open = false;
  bool fenced = false;                         // the lease is over: the broker may take this host for dead
  std::optional<std::int64_t> drain_until_ns;  // set: draining
};

class LambdaWorker {
 public:
  LambdaWorker(LambdaIndex index, const WorkerLambda& lambda, const WorkerPlan& plan);

  // ---- inputs
  void serves(const PluginServes& plugin);
  void arrived(wire::RunJob job);
  void refused(ChildId child, JobId job, std::int64_t now_ns);
  void reported(ChildId child, child::LambdaReport& report, std::int64_t now_ns);
  void looked(ChildId child, const child::LambdaChild::Running& running, std::int64_t now_ns);
  void used(ChildId child, std::uint64_t resident_bytes);
  void start_failed(ChildId child, const std::string& reason, std::int64_t now_ns);
  void cancel(JobId job);  // no such job: nothing happens
  void session_started();
  void session_ended();

  // ---- decisions
  void decide(const Surroundings& around, ChildId& last_child, std::vector<Action>& out);

  // When decide() may say something new even without input. Nothing before `after_ns`, unless a look at a
  // child is wanted.
  std::optional<std::int64_t> next_deadline(const Surroundings& around) const;
  void append_running(std::vector<wire::RunningEvent>& out) const;
  bool has_jobs() const;
  bool has_children() const { return !children_.empty(); }
  bool is_quiet() const;  // nothing of an ended session runs
  void take_judged(std::vector<BytesJudged>& out);

 private:
  using Phase = WorkerChild::Phase;

  // lambda_inputs.cpp
  WorkerChild* find(ChildId child);
  void is_ready(WorkerChild& child, const child::ChildReady& report, std::int64_t now_ns);
  void is_done(WorkerChild& child, wire::JobStatus& status, std::int64_t now_ns);
  void has_ended(WorkerChild& child, child::ChildEnded& ended, std::int64_t now_ns);
  void settle_left(WorkerChild& child, child::ChildEnded& ended, std::int64_t now_ns);
  void note_end(const WorkerChild& child, const child::ChildEnded& ended, std::int64_t now_ns);
  void start_went_wrong(const std::string& reason, std::int64_t now_ns);
  void wait_again(HeldJob held);
  void end_job(const HeldJob& held, wire::JobStatus status);
  void count_crash(const WorkerChild& child, const std::string& subject, const Outcome& end,
                   std::int64_t now_ns);
  void count_success(const WorkerChild& child);
  void count_time(const WorkerChild& child, const wire::JobStatus& status);
  void judge(std::string trouble);

  // lambda_children.cpp: timeouts, stops, kills
  void watch(WorkerChild& child, const Surroundings& around, std::vector<Action>& out);
  void watch_events(WorkerChild& child, const Surroundings& around, std::vector<Action>& out);
  void watch_drain(WorkerChild& child, const Surroundings& around, std::vector<Action>& out);
  void stop(WorkerChild& child, std::int64_t now_ns, std::vector<Action>& out);
  void kill(WorkerChild& child, Outcome why, std::int64_t now_ns, std::vector<Action>& out);
  std::int64_t idle_end_ns(const WorkerChild& child) const;
  std::optional<std::int64_t> deadline_of(const WorkerChild& child, const Surroundings& around) const;
  HangLimits hang_limits() const;

  // lambda_decide.cpp: who runs what
  std::optional<Outcome> refusal(const Surroundings& around) const;
  bool start_fails() const;
  void refuse_waiting(const Surroundings& around);
  void give(std::int64_t now_ns, std::vector<Action>& out);
  WorkerChild* freest(std::int64_t now_ns);
  bool takes_jobs(const WorkerChild& child) const;
  bool is_slow(const WorkerChild& child, std::int64_t now_ns) const;
  bool holds_up_jobs(const WorkerChild& child, std::int64_t now_ns) const;
  void take_back(std::int64_t now_ns, std::vector<Action>& out);
  void start(const Surroundings& around, ChildId& last_child, std::vector<Action>& out);
  bool may_start(const Surroundings& around) const;
  std::size_t jobs_ahead_max() const;
  void report_credit(const Surroundings& around, std::vector<Action>& out);
  ReportCredit credit(const Surroundings& around) const;

  LambdaIndex index_;
  WorkerLambda lambda_;
  WorkerPlan plan_;

  std::string hash_, trouble_;  // what serves, or why nothing does
  std::string blocked_;         // these bytes do not run with this config: no child until one changes
  std::string start_trouble_;   // the last start failed; empty once a child is ready
  Backoff start_backoff_, probe_backoff_;
  CrashRecord crashes_;
  SpeedWatch speed_;
  std::uint32_t vain_crashes_ = 0, vain_starts_ = 0;  // of these bytes, before any event succeeded
  bool works_ = false, works_not_ = false;            // as said by judge()
  std::optional<BytesJudged> judged_;                 // not taken yet
  std::string last_crash_;
  bool wants_start_ = false;

  std::deque<HeldJob> waiting_;  // by job id
  std::map<ChildId, WorkerChild> children_;
  std::vector<wire::JobStatus> ended_;  // to be reported by the next decide()
  std::int64_t job_ns_ = 0;             // how long a job takes, smoothed; 0: not known
  std::optional<ReportCredit> credit_;  // as last reported in this session
};

}  // namespace cape::host
