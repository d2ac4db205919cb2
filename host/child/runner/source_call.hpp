// The cape_call that a source sees, and what it gathers: the events of one query or of several in one batch
// call, or the subjects of one scan. Private memory until the call has returned. An answer stays true when it
// is full: what was refused is not proven. Order and range are not judged here but by the host, which must
// not believe this process anyway. Thread: the one that made the call.
#pragma once

#include <cape/plugin.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "host/child/frames.hpp"
#include "host/child/runner/channel.hpp"
#include "host/child/runner/deadline.hpp"

namespace cape::child {

struct AnswerLimits {
  std::uint32_t events_max = 0;
  std::uint64_t payload_bytes_max = 0;  // of one event
  std::uint64_t body_bytes_max = 0;     // of the frame
};

// Events of one query.
struct GatheredEvents {
  std::vector<EventRow> rows;
  std::string bytes;
  std::optional<Sequence> refused;  // the first event that was not taken
  std::string mistake;              // why an answer is impossible: its very first event can not be taken
  std::string error;                // set_error, whatever index it names

  cape_status add(const cape_event& event, const AnswerLimits& limits);
};
// Subjects of one scan.
struct GatheredSubjects {
  std::vector<SubjectRow> rows;
  std::string bytes;
  bool refused = false;
  std::string error;

  cape_status add(std::string_view subject, Sequence latest, std::uint32_t subjects_max,
                  std::uint64_t body_bytes_max);
};

class SourceCall {
 public:
  SourceCall(Channel& channel, const Setup& setup);
  SourceCall(const SourceCall&) = delete;
  SourceCall& operator=(const SourceCall&) = delete;

  // `first_number`: of queries[0]; progress moves with begin_query.
  cape_call* begin_queries(std::size_t queries, const AnswerLimits& limits, std::uint64_t first_number);
  cape_call* begin_scan(std::uint32_t subjects_max);
  GatheredEvents& events(std::size_t index) { return events_[index]; }
  GatheredSubjects& subjects() { return subjects_; }

 private:
  static SourceCall& self(const cape_call* call) { return *static_cast<SourceCall*>(call->call_data); }
  static cape_status emit_event(cape_call* call, const cape_event* event);
  static cape_status emit_subject(cape_call* call, cape_bytes subject, std::int64_t latest);
  static cape_status begin_query(cape_call* call, std::uint32_t index);
  static void set_error(cape_call* call, std::uint32_t index, std::int32_t app_code, cape_bytes message);
  static void heartbeat(cape_call* call);
  static std::uint64_t deadline_ns(const cape_call* call);

  Channel& channel_;
  CallDeadline deadline_;
  cape_call table_{};
  bool scanning_ = false;
  AnswerLimits limits_;
  std::uint32_t subjects_max_ = 0;
  std::uint64_t first_number_ = 0;
  std::size_t current_ = 0;  // of events_
  std::vector<GatheredEvents> events_;
  GatheredSubjects subjects_;
};

}  // namespace cape::child
