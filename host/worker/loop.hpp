// host/worker/loop.hpp
// Loop is HostLoop's inside. One turn: wait, gather what happened, let the worker decide, do that, and send.
//
//   wait() ─▶ gather() ─▶ decide_and_do() ─▶ finish_turn()
//     │ inputs_   │ inputs_      └ statuses_ ────┘
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/unique_fd.hpp"
#include "host/child/intake.hpp"
#include "host/child/last_good.hpp"
#include "host/child/pins.hpp"
#include "host/child/status_files.hpp"
#include "host/worker/children.hpp"
#include "host/worker/host_loop.hpp"
#include "host/worker/kept_versions.hpp"
#include "host/worker/plan.hpp"
#include "host/worker/session.hpp"
#include "host/worker/worker.hpp"

namespace cape::host {

class Loop final : public HostLoop {
 public:
  // `kept`: of what KeptVersions kept in an earlier life; null: no lambda has a canary.
  Loop(const HostOptions& options, std::unique_ptr<child::Intake> intake, std::unique_ptr<child::Intake> kept,
       UniqueFd epoll, UniqueFd stop_event);

  Result<void> begin();
  Result<void> run() override;
  void stop() override;
  bool sent_away() const override { return sent_away_; }

 private:
  enum Tag : std::uint64_t { tag_stop, tag_signal, tag_transport, tag_intake, tag_kept, tag_first_child };
  static constexpr std::int64_t report_every_ns = ns_per_s;

  // One turn: wait, gather what happened, decide, do.
  Result<void> wait();
  void gather();
  void decide_and_do();
  void finish_turn();

  void receive();
  void take(const wire::BrokerWelcome& welcome);
  void take(wire::RunJobs& jobs);
  void take(const wire::CancelJob& cancel);
  void take(const wire::HeartbeatAnswer& answer) { renew_lease(session_.take(answer)); }
  void take(const wire::HelloPlease& please);
  void take(const wire::DrainHost&);
  void take(wire::HostPins& pins);
  void take(wire::ServeVersions& said);
  void renew_lease(std::optional<std::int64_t> end_ns);
  void ask_to_stop();
  void tell_silence();
  void step_intake();
  void choose();
  void tell_what_serves();
  void find_named();
  const wire::ServedVersion* said_of(LambdaIndex lambda) const;
  child::PluginImagePtr image_of(const std::string& hash) const;
  void note_trouble(const ReportCredit& credit);
  void keep_named();
  child::TroublesByHash all_troubles() const;
  void write_verdicts();
  void take(const BytesJudged& judged);
  void tell_trouble(LambdaIndex lambda, const std::string& trouble);  // once, when it changes
  void look();
  std::int64_t measure_due_ns() const;

  void perform(const StartChild& action);
  void perform(const GiveJob& action);
  void perform(const TakeBack& action) { children_.take_back(action.child); }
  void perform(const CancelChild& action) { children_.cancel(action.child); }
  void perform(KillChild& action) { children_.kill(action.child, std::move(action.why)); }
  void perform(const StopChild& action) { children_.stop(action); }
  void perform(ReportStatus& action) { statuses_.push_back(std::move(action.status)); }
  void perform(ReportCredit& action);
  void perform(const ReportQuiet&) { begin_session(); }
  void perform(const ReportDrained&) { drained_ = true; }

  void begin_session();
  void report();
  std::int64_t next_ns() const;
  std::int64_t next_intake_ns() const;
  Result<void> add(int fd, Tag tag);
  void say_goodbye();

  const Config& config_;
  wire::HostEnd& transport_;
  int life_fd_, stop_fd_;
  std::function<void()> on_ready_;
  std::unique_ptr<child::Intake> intake_, kept_intake_;
  UniqueFd epoll_, stop_event_;
  std::vector<LambdaPlace> places_;
  Worker worker_;
  std::int64_t look_every_ns_;
  Session session_;
  Shelves shelves_;
  std::vector<PluginServes> serves_;  // what each lambda is to run, as the worker was told
  std::map<LambdaIndex, std::string> told_troubles_;
  child::TroublesByHash troubles_;                          // as the worker says them, of bytes that were to run
  std::map<LambdaIndex, wire::ServedVersion> said_;  // by the broker, of lambdas that have a canary
  std::vector<std::string> named_hashes_;            // in there
  std::vector<child::PluginImagePtr> to_keep_;       // of those, what a later life may need
  KeptVersions kept_;
  child::StatusFiles status_files_{
      [this](const std::string& plugin) { return !child::runs_sources_alone(config_, plugin); }};
  child::LastGood last_good_;
  child::Pins pins_;
  Children children_;

  std::int64_t now_ns_ = 0;
  std::vector<Input> inputs_;
  std::vector<wire::JobStatus> statuses_;
  std::int64_t looked_ns_ = 0;
  std::int64_t measured_ns_ = 0;
  std::int64_t reported_ns_ = 0;
  std::int64_t send_pause_ns_ = 0;    // until what could not be sent is tried again
  std::int64_t unsent_since_ns_ = 0;  // 0: all was sent
  bool verdicts_due_ = false;         // a plugin file's, or what is told of its lambdas
  bool report_due_ = true, drained_ = false, sent_away_ = false, stop_asked_ = false, at_once_ = false,
       told_silence_ = false;
};

}  // namespace cape::host
