// JobRunner runs the events of one job in the plugin: the take-back handshake before each call, the call, its
// outputs, and what it all came to. Publishing the result is the caller's (lambda_service). Thread: main.
#pragma once

#include <cape/plugin.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "host/child/frames.hpp"
#include "host/child/runner/call.hpp"
#include "host/child/runner/channel.hpp"
#include "host/child/runner/drill.hpp"
#include "host/child/runner/guard.hpp"

namespace cape::child {

// A run_job frame where it lies.
struct JobView {
  RunJobFrame frame;
  std::span<const std::uint8_t> rows;
  std::string_view bytes;

  static std::optional<JobView> read(std::span<const std::uint8_t> body);
  EventRow row(std::uint32_t index) const;
  // The name of the lambda that the input is of; what it gave for the event.
  std::string_view input_name(std::uint32_t input) const { return input_at(input); }
  std::string_view input(std::uint32_t event, std::uint32_t input) const {
    return input_at((1 + event) * frame.input_count + input);
  }
  std::string_view subject() const { return bytes.substr(0, frame.subject_bytes); }
  bool singly() const { return (frame.flags & job_singly) != 0; }
  std::uint64_t end_number() const { return frame.first_number + frame.count; }

 private:
  std::string_view input_at(std::uint32_t row) const;
};

struct JobResult {
  std::uint64_t job = 0;
  std::uint32_t events_done = 0;
  OutcomeKind end = OutcomeKind::ok;
  std::int32_t app_code = 0;
  bool started = false;  // the event after those done had begun
  LambdaFault fault = LambdaFault::none;
  std::string text;
  std::int64_t first_start_ns = 0, end_ns = 0;
  // For a flush that fails: how many SKIPPED lead, and whether an OK follows them.
  std::uint32_t skipped_first = 0;
  bool any_ok = false;
};

class JobRunner {
 public:
  // Borrows all; `lambda` and `self` are the plugin's.
  JobRunner(const Setup& setup, Channel& channel, const cape_lambda& lambda, void* self);

  // Runs until the first event that is not OK or SKIPPED, or that may not start. `now_ns`: boot time.
  JobResult run(const JobView& job, std::int64_t now_ns);

  bool has_flush() const { return lambda_.flush != nullptr; }
  Verdict flush();
  // `result` was held until the flush, which came to `verdict`.
  static void apply_flush(const Verdict& verdict, JobResult& result);

  std::uint64_t output_bytes() const { return output_bytes_; }  // since the last forget_outputs()
  void forget_outputs() { output_bytes_ = 0; }

 private:
  bool is_ordered() const { return (lambda_.flags & CAPE_LAMBDA_ORDERED_BATCH) != 0; }
  std::uint32_t call_size(const JobView& job, std::uint32_t at) const;
  bool takes_one(const JobView& job, std::uint32_t events) const;
  Verdict call_process(const JobView& job, cape_call* call);
  std::uint32_t start(std::uint64_t number, std::uint32_t events);
  void fill_events(const JobView& job, std::uint32_t at, std::uint32_t events);
  void fill_inputs(const JobView& job, std::uint32_t at, std::uint32_t events);
  const char* full(const JobView& job) const;
  void call(const JobView& job, std::uint64_t progress, std::uint32_t events);
  void hold_to_outputs(std::uint32_t index, Verdict& verdict) const;
  bool settle(const JobView& job, std::uint32_t at, std::uint32_t events, JobResult& result);
  void note_done(OutcomeKind kind, JobResult& result);
  void note_failure(std::uint32_t index, OutcomeKind kind, JobResult& result);
  void send_output(std::uint64_t job, std::uint32_t event, std::string_view output);

  const Setup& setup_;
  Channel& channel_;
  const cape_lambda& lambda_;
  void* self_;
  LambdaCall call_;
  LambdaCall flush_call_;          // its own: the outputs of the event before it are still to be sent
  std::int64_t job_start_ns_ = 0;  // boot time
  std::uint64_t output_bytes_ = 0, job_output_bytes_ = 0;
  std::array<cape_event, call_events_max> events_{};
  std::array<const cape_event*, call_events_max> pointers_{};
  std::array<Verdict, call_events_max> verdicts_;
  std::unique_ptr<FencedBytes> fences_;        // of payloads; null but in a drill
  std::unique_ptr<FencedBytes> older_events_;  // the same
  bool marks_skipped_;                          // the same
  std::array<cape_status, call_events_max> statuses_{};
  std::vector<cape_input> inputs_;  // of the events of one call, event by event
  std::vector<const cape_input*> input_pointers_;
};

}  // namespace cape::child
