#include "host/child/runner/call.hpp"

#include <algorithm>
#include <new>

#include "core/types.hpp"
#include "host/child/runner/abi_bytes.hpp"
#include "host/child/runner/runner.hpp"

namespace cape::child {
void beat(ResponseHeader& response) {
  // One writer at a time: the thread of the call.
  std::atomic<std::uint64_t>& word = response.heartbeat.value;
  word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void refuse_all(cape_call& table) {
  table.struct_size = sizeof table;
  table.emit = [](cape_call*, std::uint32_t, cape_bytes) -> cape_status { return CAPE_UNSUPPORTED; };
  table.reserve = [](cape_call*, std::uint32_t, std::uint64_t, std::uint8_t**) -> cape_status {
    return CAPE_UNSUPPORTED;
  };
  table.commit = [](cape_call*, std::uint64_t) -> cape_status { return CAPE_UNSUPPORTED; };
  table.emit_event = [](cape_call*, const cape_event*) -> cape_status { return CAPE_UNSUPPORTED; };
  table.emit_subject = [](cape_call*, cape_bytes, std::int64_t) -> cape_status { return CAPE_UNSUPPORTED; };
  table.begin_query = [](cape_call*, std::uint32_t) -> cape_status { return CAPE_UNSUPPORTED; };
  table.set_error = [](cape_call*, std::uint32_t, std::int32_t, cape_bytes) {};
  table.heartbeat = [](cape_call*) {};
  table.is_cancelled = [](const cape_call*) -> std::int32_t { return 0; };
  table.deadline_ns = [](const cape_call*) -> std::uint64_t { return 0; };
}

LambdaCall::LambdaCall(Channel& channel, const Setup& setup, std::uint32_t output_bytes_max)
    : channel_(channel),
      deadline_(setup),
      watches_threads_(setup.drill == "C11"),
      output_bytes_max_(
          std::min<std::uint64_t>(output_bytes_max, channel.body_bytes_max() - sizeof(OutputFrame))) {
  refuse_all(table_);
  table_.call_data = this;
  table_.emit = emit;
  table_.reserve = reserve;
  table_.commit = commit;
  table_.set_error = set_error;
  table_.heartbeat = heartbeat;
  table_.is_cancelled = is_cancelled;
  table_.deadline_ns = deadline_ns;
  if (setup.drill == "F3") shown_ = older_call(table_, older_pages_);
}

cape_call* LambdaCall::begin(std::uint32_t events, std::uint64_t progress, std::int64_t not_before_ns) {
  progress_ = progress;
  if (watches_threads_) thread_ = std::this_thread::get_id();
  deadline_.begin(not_before_ns);
  outputs_.assign(events, {});
  arena_.clear();
  reserving_ = false;
  complaints_.clear();
  return shown_;
}

const LambdaCall::Complaint* LambdaCall::complaint(std::uint32_t index) const {
  const auto found = std::ranges::find(complaints_, index, &Indexed::index);
  return found == complaints_.end() ? nullptr : &found->complaint;
}

std::string LambdaCall::refusal_text(std::uint32_t index) const {
  const Output& output = outputs_[index];
  const std::string bytes = std::to_string(output.refused_bytes);
  if (output.misplaced) return "an output of " + bytes + " bytes was of no event of the call";
  if (output.refused == CAPE_BAD_INPUT)
    return output.emitted ? "a second output of one event: an event has at most one, so emit everything at once"
                          : "a commit of " + bytes + " bytes, more than it had reserved";
  if (output.refused == CAPE_NO_MEMORY) return "no memory for its output of " + bytes + " bytes";
  if (output.refused_bytes <= output_bytes_max_) return "it wrote past the room it had reserved";
  return "its output of " + bytes + " bytes is over limits.output, " + std::to_string(output_bytes_max_) +
         " bytes: emit less, or raise it";
}

// Kept beside what it returns: a lambda that does not look at that must not lose an output by saying OK. What
// is of no event of the call is told of the first one, which then holds up all of them.
cape_status LambdaCall::refuse(std::uint32_t index, cape_status status, std::uint64_t bytes) {
  const bool misplaced = index >= outputs_.size();
  Output& output = outputs_[misplaced ? 0 : index];
  if (output.refused != CAPE_OK) return status;
  output.refused = status;
  output.refused_bytes = bytes;
  output.misplaced = misplaced;
  return status;
}

cape_status LambdaCall::check_output(std::uint32_t index, std::uint64_t bytes) {
  if (index >= outputs_.size() || outputs_[index].emitted) return refuse(index, CAPE_BAD_INPUT, bytes);
  return bytes > output_bytes_max_ ? refuse(index, CAPE_LIMIT, bytes) : CAPE_OK;
}

void LambdaCall::store(std::uint32_t index, std::string_view output) {
  const std::uint64_t offset = arena_.size();
  arena_ += output;
  Output& stored = outputs_[index];
  // A lambda may give less once it was told that it is too much; only what is of no event stays wrong.
  if (!stored.misplaced) stored.refused = CAPE_OK;
  stored.emitted = true;
  stored.offset = offset;
  stored.bytes = output.size();
}

cape_status LambdaCall::emit(cape_call* call, std::uint32_t index, cape_bytes output) try {
  LambdaCall& me = self(call);
  if (const cape_status refused = me.check_output(index, output.len); refused != CAPE_OK) return refused;
  me.store(index, text_of(output));
  return CAPE_OK;
} catch (const std::bad_alloc&) {
  return self(call).refuse(index, CAPE_NO_MEMORY, output.len);
}

cape_status LambdaCall::reserve(cape_call* call, std::uint32_t index, std::uint64_t n, std::uint8_t** dst) {
  LambdaCall& me = self(call);
  if (dst == nullptr) return CAPE_BAD_INPUT;
  if (const cape_status refused = me.check_output(index, n); refused != CAPE_OK) return refused;
  std::uint8_t* const room = me.reserved_.take(n);
  me.reserving_ = room != nullptr;
  if (room == nullptr) return me.refuse(index, CAPE_NO_MEMORY, n);
  me.reserved_index_ = index;
  *dst = room;
  return CAPE_OK;
}

cape_status LambdaCall::commit(cape_call* call, std::uint64_t used) try {
  LambdaCall& me = self(call);
  if (!me.reserving_) return CAPE_BAD_INPUT;  // there is nothing that could be lost
  if (used > me.reserved_.bytes()) return me.refuse(me.reserved_index_, CAPE_BAD_INPUT, used);
  me.reserving_ = false;
  if (!me.reserved_.is_whole())  // it wrote past its room
    return me.refuse(me.reserved_index_, CAPE_LIMIT, used);
  if (const cape_status refused = me.check_output(me.reserved_index_, used); refused != CAPE_OK)
    return refused;
  me.store(me.reserved_index_, me.reserved_.front(used));
  return CAPE_OK;
} catch (const std::bad_alloc&) {
  LambdaCall& me = self(call);
  return me.refuse(me.reserved_index_, CAPE_NO_MEMORY, used);
}

void LambdaCall::set_error(cape_call* call, std::uint32_t index, std::int32_t app_code,
                           cape_bytes message) try {
  LambdaCall& me = self(call);
  if (index >= me.outputs_.size()) return;
  std::erase_if(me.complaints_, [&](const Indexed& c) { return c.index == index; });
  me.complaints_.push_back({index, {app_code, std::string(text_of(message).substr(0, reason_bytes_max))}});
} catch (const std::bad_alloc&) {
  // The status alone will have to do.
}

void LambdaCall::heartbeat(cape_call* call) {
  LambdaCall& me = self(call);
  if (me.watches_threads_ && std::this_thread::get_id() != me.thread_)
    fail_setup(&me.channel_.response(), Phase::process,
               "heartbeat was called on a thread of its own; call it where process runs", "C11");
  me.deadline_.beat();
  beat(me.channel_.response());
}

std::uint64_t LambdaCall::deadline_ns(const cape_call* call) {
  return self(call).deadline_.at_ns();
}

std::int32_t LambdaCall::is_cancelled(const cape_call* call) {
  const LambdaCall& me = self(call);
  return me.channel_.request().cancel.value.load(std::memory_order_relaxed) == me.progress_ ? 1 : 0;
}

}  // namespace cape::child
