// Ends in the way that the payload says; any other payload is handled well.
#include "guest.h"
#include "responses.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

static void write_nowhere(void) {
  volatile int* volatile nowhere = nullptr;  // both: else the store may go
  *nowhere = 1;
}

static void wait_for_ever(void) {
  for (;;) ::pause();
}

// Tells the host of more responses than the ring has bytes.
static void break_the_protocol(const cape_event* event) {
  if (!zoo::find_responses(event)) return;
  const std::uint64_t huge = ~std::uint64_t{7};
  std::memcpy(zoo::responses + offsetof(cape::child::ResponseHeader, head), &huge, sizeof huge);
  ::send(cape::child::fd_control, "r", 1, MSG_DONTWAIT);
  wait_for_ever();
}

static cape_status act(struct cape_call*, const cape_event* event) {
  if (is(event, "segv")) write_nowhere();
  if (is(event, "abort")) ::abort();
  if (is(event, "exit")) ::exit(0);
  if (is(event, "hang")) wait_for_ever();
  if (is(event, "violation")) ::socket(AF_INET, SOCK_STREAM, 0);
  if (is(event, "protocol")) break_the_protocol(event);
  return CAPE_OK;
}

GUEST("dies");
