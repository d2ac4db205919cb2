// host/check/trial.hpp
// A trial runs a plugin's child from its start to its end, as a host would, and tells all that came of it.
// Blocks at most the given time; then the child is killed and `timed_out` says so. Thread: one. Nothing of
// the child is left.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/child/lambda_child.hpp"
#include "host/child/source_child.hpp"

namespace cape::check {

// A directory for the plugin's state, gone at the end.
class StateDir {
 public:
  StateDir();
  ~StateDir();
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;
  const fs::path& path() const { return path_; }  // empty: none could be made

 private:
  fs::path path_;
};

// A child; or, unconfined, a thread of this process in its place (in_process.hpp), which nothing can kill.
struct TrialSpec : child::ChildSpec {
  bool in_process = false;
};

struct TrialEvent {
  std::string subject;
  Sequence sequence = 1;
  std::int64_t time_ns = 0;
  std::string type, payload;
};

// A job of these events, which are of one subject and rise.
wire::RunJob job_of(JobId id, std::span<const TrialEvent> events);

struct LambdaTrial {
  std::optional<child::ChildReady> ready;
  std::vector<child::ChildJobDone> done;  // in the order of their ends
  std::uint64_t log_lines = 0;            // shown and dropped
  child::ChildEnded ended;
  bool timed_out = false;
  std::int64_t start_ns = 0;  // until it was ready

  // It did all it was given and went when asked.
  bool went_well() const { return !timed_out && ended.end.kind == OutcomeKind::ok; }
};

struct LambdaTrialOptions {
  std::int64_t ms_max = 10'000;
  bool singly = false;
  std::function<void(child::LambdaChild&)> on_ready;     // before the first job
  std::function<void(child::LambdaChild&)> watch;        // called at least every 100 ms while jobs are out
  std::function<void(const child::LambdaReport&)> tell;  // each report as it comes
};
// Gives the jobs one after the other, stops the child and waits for its end; `tell` may put more of them behind
// those given. With ChildKind::inspect: waits alone.
Result<LambdaTrial> try_lambda(const TrialSpec& spec, const std::vector<wire::RunJob>& jobs,
                               const LambdaTrialOptions& options = {});

// A source that is asked one thing after the other.
class SourceTrial {
 public:
  static Result<std::unique_ptr<SourceTrial>> start(const TrialSpec& spec, std::int64_t ms_max);

  // RETRY is what a source says that is not ready yet: it is asked again until time is up, and the last
  // answer counts. nullopt: it ended, or time was up; end() tells.
  std::optional<child::QueryAnswer> query(const std::string& subject, Sequence start,
                                          std::uint32_t events_max);
  std::optional<child::ScanAnswer> scan(const std::string& token, std::uint32_t subjects_max);
  // After a query or scan without an answer, or to be done with it.
  child::ChildEnded end();
  bool timed_out() const { return timed_out_; }

 private:
  SourceTrial(std::unique_ptr<child::SourceChild> child, std::int64_t deadline_ns)
      : child_(std::move(child)), deadline_ns_(deadline_ns) {}
  template <class Answer>
  std::optional<Answer> wait_for();
  template <class Answer, class Ask>
  std::optional<Answer> ask(Ask ask);
  void poll();

  std::unique_ptr<child::SourceChild> child_;
  std::int64_t deadline_ns_;
  bool timed_out_ = false, ready_ = false;
  std::vector<child::SourceReport> reports_;
  std::optional<child::ChildEnded> end_;
};

}  // namespace cape::check
