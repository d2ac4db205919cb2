#include "host/child/runner/source_call.hpp"

#include <new>

#include "core/clock.hpp"
#include "host/child/runner/abi_bytes.hpp"
#include "host/child/runner/call.hpp"

namespace cape::child {
namespace {

// Why `event` can be in no answer at all; empty: it can.
std::string event_mistake(const cape_event& event, const AnswerLimits& limits) {
  const std::string name = "event " + std::to_string(event.sequence);
  if (event.type.len > type_bytes_max)
    return name + " has a type of " + std::to_string(event.type.len) + " bytes, the limit is 255";
  if (event.payload.len > limits.payload_bytes_max)
    return name + " has " + std::to_string(event.payload.len) + " bytes of payload, the limit is " +
           std::to_string(limits.payload_bytes_max) +
           "; raise payload_bytes_max in cape.toml or shorten the event";
  return {};
}

}  // namespace

cape_status GatheredEvents::add(const cape_event& event, const AnswerLimits& limits) {
  if (refused) return CAPE_LIMIT;
  std::string wrong = event_mistake(event, limits);
  const std::uint64_t body = sizeof(QueryAnswerFrame) + (rows.size() + 1) * sizeof(EventRow) + bytes.size() +
                             event.type.len + event.payload.len + reason_bytes_max;
  const bool full = rows.size() >= limits.events_max || body > limits.body_bytes_max;
  if (full && rows.empty() && wrong.empty())
    wrong = "event " + std::to_string(event.sequence) + " does not fit the ring";
  if (full || !wrong.empty()) {
    refused = event.sequence;
    if (rows.empty()) mistake = std::move(wrong);  // else the next answer begins with it and says so
    return CAPE_LIMIT;
  }
  const std::string_view type = text_of(event.type), payload = text_of(event.payload);
  const auto offset = static_cast<std::uint32_t>(bytes.size());
  bytes.append(type).append(payload);
  rows.push_back({.sequence = event.sequence,
                  .time_ns = event.time_ns,
                  .type_offset = offset,
                  .payload_offset = offset + static_cast<std::uint32_t>(type.size()),
                  .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                  .type_bytes = static_cast<std::uint16_t>(type.size()),
                  .reserved = 0});
  return CAPE_OK;
}

cape_status GatheredSubjects::add(std::string_view subject, Sequence latest, std::uint32_t subjects_max,
                                  std::uint64_t body_bytes_max) {
  const std::uint64_t body = sizeof(ScanAnswerFrame) + (rows.size() + 1) * sizeof(SubjectRow) + bytes.size() +
                             subject.size() + reason_bytes_max;
  refused = refused || rows.size() >= subjects_max || body > body_bytes_max;
  if (refused) return CAPE_LIMIT;
  bytes += subject;
  rows.push_back(
      {.latest = latest, .subject_bytes = static_cast<std::uint32_t>(subject.size()), .reserved = 0});
  return CAPE_OK;
}

SourceCall::SourceCall(Channel& channel, const Setup& setup) : channel_(channel), deadline_(setup) {
  refuse_all(table_);
  table_.call_data = this;
  table_.emit_event = emit_event;
  table_.emit_subject = emit_subject;
  table_.begin_query = begin_query;
  table_.set_error = set_error;
  table_.heartbeat = heartbeat;
  table_.deadline_ns = deadline_ns;
}

cape_call* SourceCall::begin_queries(std::size_t queries, const AnswerLimits& limits,
                                     std::uint64_t first_number) {
  scanning_ = false;
  deadline_.begin(boot_ns());
  limits_ = limits;
  first_number_ = first_number;
  current_ = queries > 1 ? queries : 0;  // in a batch, begin_query comes first
  events_.clear();
  events_.resize(queries);
  return &table_;
}

cape_call* SourceCall::begin_scan(std::uint32_t subjects_max) {
  scanning_ = true;
  deadline_.begin(boot_ns());
  subjects_max_ = subjects_max;
  subjects_ = {};
  return &table_;
}

cape_status SourceCall::emit_event(cape_call* call, const cape_event* event) try {
  SourceCall& me = self(call);
  if (me.scanning_ || event == nullptr || me.current_ >= me.events_.size()) return CAPE_BAD_INPUT;
  return me.events_[me.current_].add(*event, me.limits_);
} catch (const std::bad_alloc&) {
  return CAPE_NO_MEMORY;
}

cape_status SourceCall::emit_subject(cape_call* call, cape_bytes subject, std::int64_t latest) try {
  SourceCall& me = self(call);
  if (!me.scanning_) return CAPE_BAD_INPUT;
  return me.subjects_.add(text_of(subject), latest, me.subjects_max_, me.channel_.body_bytes_max());
} catch (const std::bad_alloc&) {
  return CAPE_NO_MEMORY;
}

cape_status SourceCall::begin_query(cape_call* call, std::uint32_t index) {
  SourceCall& me = self(call);
  const bool in_order = me.events_.size() == 1 || me.current_ == me.events_.size() || index >= me.current_;
  if (me.scanning_ || index >= me.events_.size() || !in_order) return CAPE_BAD_INPUT;
  me.current_ = index;
  ResponseHeader& response = me.channel_.response();
  response.progress.value.store(me.first_number_ + index + 1, std::memory_order_relaxed);
  response.finished.value.store(me.first_number_ + index, std::memory_order_relaxed);
  me.deadline_.begin(boot_ns());
  beat(response);
  return CAPE_OK;
}

void SourceCall::heartbeat(cape_call* call) {
  SourceCall& me = self(call);
  me.deadline_.beat();
  beat(me.channel_.response());
}

std::uint64_t SourceCall::deadline_ns(const cape_call* call) {
  return self(call).deadline_.at_ns();
}

void SourceCall::set_error(cape_call* call, std::uint32_t, std::int32_t, cape_bytes message) try {
  SourceCall& me = self(call);
  const std::string_view text = text_of(message).substr(0, reason_bytes_max);
  if (me.scanning_)
    me.subjects_.error = text;
  else if (me.current_ < me.events_.size())
    me.events_[me.current_].error = text;
} catch (const std::bad_alloc&) {
  // The status alone will have to do.
}

}  // namespace cape::child
