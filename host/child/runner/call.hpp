// The cape_call that a lambda sees: outputs and error texts of the events of one call, kept in private memory
// until the call has returned. Thread: the one that made the call, except is_cancelled.
#pragma once

#include <cape/plugin.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "host/child/runner/channel.hpp"
#include "host/child/runner/deadline.hpp"
#include "host/child/runner/guarded_space.hpp"
#include "host/child/runner/older_tables.hpp"

namespace cape::child {

class LambdaCall {
 public:
  LambdaCall(Channel& channel, const Setup& setup, std::uint32_t output_bytes_max);
  LambdaCall(const LambdaCall&) = delete;
  LambdaCall& operator=(const LambdaCall&) = delete;

  // Forgets the call before. `progress` is what the cancel word must say to mean this call; `not_before_ns`
  // is CallDeadline's.
  cape_call* begin(std::uint32_t events, std::uint64_t progress, std::int64_t not_before_ns);

  struct Complaint {
    std::int32_t app_code = 0;
    std::string text;
  };
  bool has_output(std::uint32_t index) const { return outputs_[index].emitted; }
  std::string_view output(std::uint32_t index) const {
    return std::string_view(arena_).substr(outputs_[index].offset, outputs_[index].bytes);
  }
  const Complaint* complaint(std::uint32_t index) const;  // null: none
  // CAPE_OK: each output of the event was taken, or one that was refused was followed by one that was not.
  cape_status refused(std::uint32_t index) const { return outputs_[index].refused; }
  std::string refusal_text(std::uint32_t index) const;  // of one that is refused

 private:
  struct Output {
    bool emitted = false;
    std::uint64_t offset = 0, bytes = 0;
    cape_status refused = CAPE_OK;  // why the first one that was refused was
    std::uint64_t refused_bytes = 0;
    bool misplaced = false;  // it was of no event of the call
  };
  static LambdaCall& self(const cape_call* call) { return *static_cast<LambdaCall*>(call->call_data); }
  static cape_status emit(cape_call* call, std::uint32_t index, cape_bytes output);
  static cape_status reserve(cape_call* call, std::uint32_t index, std::uint64_t n, std::uint8_t** dst);
  static cape_status commit(cape_call* call, std::uint64_t used);
  static void set_error(cape_call* call, std::uint32_t index, std::int32_t app_code, cape_bytes message);
  static void heartbeat(cape_call* call);
  static std::int32_t is_cancelled(const cape_call* call);
  static std::uint64_t deadline_ns(const cape_call* call);
  cape_status check_output(std::uint32_t index, std::uint64_t bytes);
  cape_status refuse(std::uint32_t index, cape_status status, std::uint64_t bytes);
  void store(std::uint32_t index, std::string_view output);

  Channel& channel_;
  CallDeadline deadline_;
  bool watches_threads_;    // in a drill alone
  std::thread::id thread_;  // of the call
  std::uint64_t output_bytes_max_;
  cape_call table_{};
  FencedBytes older_pages_;  // in a drill alone
  cape_call* shown_ = &table_;
  std::uint64_t progress_ = 0;
  std::vector<Output> outputs_;
  std::string arena_;
  GuardedSpace reserved_;  // what reserve handed out
  std::uint32_t reserved_index_ = 0;
  bool reserving_ = false;
  struct Indexed {
    std::uint32_t index;
    Complaint complaint;
  };
  std::vector<Indexed> complaints_;
};

// Fills what lambdas and sources share and refuses the rest.
void refuse_all(cape_call& table);
// One more sign of life in the shared header.
void beat(ResponseHeader& response);

}  // namespace cape::child
