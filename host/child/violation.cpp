#include "host/child/violation.hpp"

#include "host/child/sandbox/trapped_calls.hpp"

namespace cape::child {
namespace {

std::string_view advice_of(Trap trap) {
  switch (trap) {
    case Trap::network:
      return "grant.network lists the ports that it may connect to by TCP, and no profile has any other "
             "network: "
             "grant the port, or write what is to be sent into the state directory and let a program outside "
             "send it";
    case Trap::process:
      return "no profile has other processes: use threads, and link in as a library what it would run";
    case Trap::other_process:
      return "no profile shows other processes: remove the call";
    case Trap::mount:
      return "no profile has namespaces or mounts: use granted directories at their own paths";
    case Trap::code:
      return "no profile has memory that is both writable and executable, nor new code once the library is "
             "loaded: switch the JIT compiler off";
    case Trap::memory_file:
      return "no profile has files in memory: use plain memory, or a file in the state directory";
    case Trap::io_uring:
      return "no profile has io_uring: use read, write and poll";
    case Trap::kernel:
      break;
  }
  return "no profile has it: remove the call, or have the library that makes it do without";
}

}  // namespace

std::string_view advice_on(int syscall) {
  for (const TrappedCall& call : trapped_calls)
    if (call.number == syscall) return advice_of(call.trap);
  for (const TrappedCall& call : trapped_in_part)
    if (call.number == syscall) return advice_of(call.trap);
  return advice_of(Trap::kernel);
}

}  // namespace cape::child
