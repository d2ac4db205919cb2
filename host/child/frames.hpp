// What stands in the frames of the two rings: fixed structs, rows, then bytes. Plain memory of one machine
// and one release. The runner trusts requests; the host trusts nothing in a response
// (host/child/responses.hpp).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace cape::child {

enum class FrameKind : std::uint32_t {
  // requests
  run_job = 1,
  query_call,
  scan_call,
  // responses
  ready = 16,
  job_done,
  output,
  log,
  query_answer,
  scan_answer,
  source_ping,
  metric,
};

// ---- requests. Offsets count from the first byte behind the rows.
struct EventRow {
  std::int64_t sequence, time_ns;
  std::uint32_t type_offset, payload_offset, payload_bytes;
  std::uint16_t type_bytes, reserved;
};
inline constexpr std::uint32_t job_may_repeat = 1;
inline constexpr std::uint32_t job_singly = 2;  // one event a call, one event a batch
inline constexpr std::uint32_t job_late = 4;
struct InputRow {
  std::uint32_t offset, bytes;
};
// Then EventRow[count], InputRow[input_count] with the names of the lambdas needed, InputRow[count *
// input_count] with their outputs, event by event; then the subject and all other bytes.
struct RunJobFrame {
  std::uint64_t job, first_number;
  std::uint64_t outputs_bytes_max;  // behind the event that brings the outputs to it the job ends; 0: none
  std::uint32_t attempt, flags, count, subject_bytes, input_count, reserved;
};
struct QueryRow {
  std::int64_t start;
  std::uint32_t subject_offset, subject_bytes;
};
struct QueryCallFrame {  // then QueryRow[count], the subjects
  std::uint64_t call, first_number, max_bytes;
  std::uint32_t max_events, count;
};
struct ScanCallFrame {  // then the token
  std::uint64_t call, first_number;
  std::uint32_t max_subjects, token_bytes;
};

// ---- responses
struct ReadyFrame {  // then layers, missing, id, version
  std::uint32_t level, kinds, wants, lambda_flags;
  std::uint16_t abi_major, abi_minor, abi_min_minor;
  std::uint8_t has_flush, has_batch;
  std::uint32_t layers_bytes, missing_bytes, id_bytes, version_bytes;
};
struct OutputFrame {  // then the output; before the JobDoneFrame of its job
  std::uint64_t job;
  std::uint32_t index, output_bytes;
};
// What of the lambda's making made an event fail, where its status alone does not tell.
enum class LambdaFault : std::uint32_t {
  none,
  exception,       // one escaped
  unknown_status,  // it returned what is no status of a lambda
  no_status,       // process_batch left the event's entry as it was
  output_lost,     // it returned OK though its output had been refused
};
struct JobDoneFrame {  // then the text
  std::uint64_t job;
  std::int64_t first_start_ns, end_ns;  // boot time
  std::uint32_t events_done;
  std::int32_t end, app_code;
  std::uint32_t started;  // 1: the event after those done had begun
  std::uint32_t text_bytes, fault;  // LambdaFault
};
struct LogFrame {  // then the text
  std::int32_t severity;
  std::uint32_t text_bytes;
  std::uint64_t dropped;
};
struct QueryAnswerFrame {  // then EventRow[count], the text, types and payloads
  std::uint64_t call;
  std::int64_t next_start, latest;
  std::uint32_t index, more, count, text_bytes;
  std::int32_t status;
  std::uint32_t reserved;
};
struct SubjectRow {  // the subjects lie in this order, one behind the other
  std::int64_t latest;
  std::uint32_t subject_bytes, reserved;
};
struct ScanAnswerFrame {  // then SubjectRow[count], the text, the subjects
  std::uint64_t call;
  std::uint32_t more, count, text_bytes;
  std::int32_t status;
};
struct SourcePingFrame {  // then the subject
  std::int64_t hint;
  std::uint32_t subject_bytes, reserved;
};

struct MetricFrame {  // then the name; ids rise from 1
  std::uint32_t id, kind, name_bytes, reserved;
};

inline constexpr std::uint32_t metric_name_bytes_max = 128;
inline constexpr std::uint32_t log_bytes_max = 4096;
// Outputs of a job (of a batch, with flush) beyond this end it early: what is left runs as another job.
inline constexpr std::uint64_t outputs_soft_bytes_max = 16u << 20;
inline constexpr std::uint32_t call_events_max = 64;  // events of one process_batch call

// Reads a frame's body from front to back; refuses to go past its end.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::uint8_t> body) : left_(body) {}

  template <class T>
  bool read(T& out) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (left_.size() < sizeof out) return false;
    std::memcpy(&out, left_.data(), sizeof out);
    left_ = left_.subspan(sizeof out);
    return true;
  }
  bool read_text(std::uint64_t bytes, std::string_view& out) {
    if (left_.size() < bytes) return false;
    out = {reinterpret_cast<const char*>(left_.data()), bytes};
    left_ = left_.subspan(bytes);
    return true;
  }
  std::span<const std::uint8_t> rest() const { return left_; }

 private:
  std::span<const std::uint8_t> left_;
};

// Writes a frame's body from front to back. The caller has made room.
class BodyWriter {
 public:
  explicit BodyWriter(std::uint8_t* at) : at_(at) {}

  template <class T>
  void write(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void write_text(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  std::uint8_t* at_;
};

}  // namespace cape::child
