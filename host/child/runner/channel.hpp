// Channel is the runner's end of the shared memory: requests in, responses out, doorbells both ways. Words
// are stored and loaded seq_cst: each "announce, then look" below is one half of a handshake whose other half
// stands in host/child/child_link.cpp.
// Thread: requests and waiting: the main thread. send, try_send and ring_host: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "host/child/doorbell.hpp"
#include "host/child/frames.hpp"
#include "host/child/ring.hpp"
#include "host/child/runner/runner.hpp"

namespace cape::child {

class Channel {
 public:
  explicit Channel(const RunnerContext& context);

  const RequestHeader& request() const { return request_; }
  ResponseHeader& response() { return response_; }
  std::uint64_t body_bytes_max() const { return child::body_bytes_max(ring_bytes_); }
  void set_phase(Phase phase) {
    response_.phase.store(static_cast<std::uint32_t>(phase), std::memory_order_release);
  }

  // The next request, where it lies; it stays until consumed(). nullopt: none now.
  std::optional<Frame> next_request();
  void consumed();  // every request taken so far is done with
  bool stopping() const { return request_.stopping.value.load() != 0; }
  // Rings the host if results wait for it, then sleeps until there is a request or stopping() turns true.
  void wait_for_request();

  // Writes a response: `fill(BodyWriter&)`. Waits for room. Requires: body_bytes <= body_bytes_max().
  template <class Fill>
  void send(FrameKind kind, std::uint64_t body_bytes, Fill&& fill) {
    while (!put(kind, body_bytes, 0, fill)) wait_for_room(body_bytes);
  }
  // The same for what may be lost: false if less than half the ring would be left for results.
  template <class Fill>
  bool try_send(FrameKind kind, std::uint64_t body_bytes, Fill&& fill) {
    return put(kind, body_bytes, ring_bytes_ / 2, fill);
  }
  // Rings if the host sleeps with responses unread.
  void ring_host();

 private:
  template <class Fill>
  bool put(FrameKind kind, std::uint64_t body_bytes, std::uint64_t spare_bytes, Fill& fill) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t tail = request_.response_tail.value.load();
    const auto slot = writer_.find(body_bytes, tail);
    if (!slot || writer_.free_bytes(tail) < slot->padding + slot->bytes + spare_bytes) return false;
    BodyWriter body(writer_.take(*slot, static_cast<std::uint32_t>(kind)));
    fill(body);
    response_.head.value.store(writer_.head());
    return true;
  }
  void wait_for_room(std::uint64_t body_bytes);
  void sleep() const;

  const RequestHeader& request_;
  ResponseHeader& response_;
  std::uint64_t ring_bytes_;
  int control_fd_;
  InPlaceReader reader_;
  std::mutex mutex_;  // of the two below: plugin threads log and ping
  RingWriter writer_;
  DoorbellOnce doorbell_;
};

}  // namespace cape::child
