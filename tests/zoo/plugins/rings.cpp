// Writes into the memory it shares with the host behind the runner's back: what a plugin with a wild pointer,
// or an evil one, can do. The payload says what to write.
#include "guest.h"
#include "responses.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <thread>

#include "host/child/frames.hpp"
#include "host/child/ring.hpp"

using namespace cape::child;
using namespace zoo;

static bool put(std::size_t at, const void* bytes, std::size_t count) {
  std::memcpy(responses + at, bytes, count);
  return true;
}
static bool put_word(std::size_t at, std::uint64_t value) {
  return put(at, &value, sizeof value);
}
static std::uint64_t word(std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, responses + at, sizeof value);
  return value;
}

// Puts a frame behind what is published and publishes it. The ring is nearly empty: no frame crosses its end.
static bool publish(std::uint32_t kind, std::uint32_t frame_size, const void* body, std::size_t count) {
  const std::uint64_t head = word(offsetof(ResponseHeader, head));
  const FrameHeader header{frame_size, kind};
  return put(header_bytes + head, &header, sizeof header) &&
         put(header_bytes + head + sizeof header, body, count) &&
         put_word(offsetof(ResponseHeader, head), head + frame_bytes(count)) &&
         ::send(fd_control, "r", 1, MSG_DONTWAIT) == 1;
}

// Tells of the running job what is not so.
static bool lie_of(const cape_event* event, std::uint64_t job_offset, std::uint32_t done, std::int32_t end) {
  JobDoneFrame frame{};
  frame.job = event->fence + job_offset;
  frame.events_done = done;
  frame.end = end;
  const auto size = static_cast<std::uint32_t>(frame_bytes(sizeof frame));
  return publish(static_cast<std::uint32_t>(FrameKind::job_done), size, &frame, sizeof frame);
}

// Writes whatever comes to mind into heads, frames and words, while the runner and the host use them.
static void scribble() {
  std::uint64_t random = 88172645463325252u;
  for (int i = 0;; ++i) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    const std::size_t words = (header_bytes + 4096) / 8;
    const std::size_t at = i % 4 == 0 ? offsetof(ResponseHeader, head) : random % words * 8;
    if (at >= offsetof(ResponseHeader, phase) && at < header_bytes) continue;  // texts: no index among them
    put_word(at, i % 3 == 0 ? word(at) + 8 : i % 3 == 1 ? random : random & 0xFFF8);
  }
}

static cape_status wait_for_cancel(const struct cape_call* call) {
  while (!call->is_cancelled(call)) {
  }
  return CAPE_CANCELLED;
}

static cape_status act(struct cape_call* call, const cape_event* event) {
  constexpr std::size_t head = offsetof(ResponseHeader, head), tail = offsetof(ResponseHeader, request_tail);
  if (is(event, "fine")) return CAPE_OK;
  if (responses == nullptr && !find_responses(event)) return CAPE_INTERNAL;
  const std::uint64_t published = word(head);
  const char none[16] = {};
  bool done = false;
  if (is(event, "head_huge")) done = put_word(head, ~std::uint64_t{7});
  if (is(event, "head_back")) done = put_word(head, published - 8);
  if (is(event, "head_odd")) done = put_word(head, published + 3);
  if (is(event, "tail_huge")) done = put_word(tail, ~std::uint64_t{7});
  if (is(event, "frame_huge")) done = publish(17, 0xFFFFFFF8u, none, sizeof none);
  if (is(event, "frame_empty")) done = publish(17, 0, none, sizeof none);
  if (is(event, "frame_unknown")) done = publish(4242, 24, none, sizeof none);
  if (is(event, "second_ready")) done = publish(16, 24, none, sizeof none);
  if (is(event, "job_unknown")) done = lie_of(event, 1000, 1, 0);
  if (is(event, "done_too_many")) done = lie_of(event, 0, 7, 0);
  if (is(event, "done_without_work")) done = lie_of(event, 0, 2, 0);
  if (is(event, "end_unknown")) done = lie_of(event, 0, 0, 4242);
  if (is(event, "done_twice")) done = lie_of(event, 0, 1, 0) && lie_of(event, 0, 1, 0);
  if (is(event, "progress_back")) done = put_word(offsetof(ResponseHeader, progress), 0);
  if (is(event, "phase")) done = put_word(offsetof(ResponseHeader, phase), 77);
  if (is(event, "race")) {
    std::thread(scribble).detach();
    return CAPE_OK;
  }
  if (is(event, "doorbells"))
    for (int i = 0; i < 100000; ++i) ::send(fd_control, "rrrrrrrr", 8, MSG_DONTWAIT);
  if (is(event, "shutdown")) return ::shutdown(fd_control, SHUT_RDWR) != 0 ? refused(call) : CAPE_OK;
  if (is(event, "close")) return ::close(fd_control) != 0 ? refused(call) : CAPE_OK;
  if (is(event, "blocking")) return ::fcntl(fd_control, F_SETFL, 0) != 0 ? refused(call) : CAPE_OK;
  if (is(event, "descriptors")) {
    msghdr message{};
    return ::sendmsg(fd_control, &message, 0) < 0 ? refused(call) : CAPE_OK;
  }
  if (is(event, "doorbells")) return CAPE_OK;
  if (!done) return CAPE_BAD_INPUT;
  ::send(fd_control, "r", 1, MSG_DONTWAIT);
  return wait_for_cancel(call);
}

GUEST("rings");
