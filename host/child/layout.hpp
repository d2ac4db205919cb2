// host/child/layout.hpp
// The memory that host and child share: two memfds, each with a header page and a byte ring behind it.
//
//   request memfd    written by the host alone; the child maps it read-only (F_SEAL_FUTURE_WRITE)
//     [RequestHeader, 4 KiB][ring: frames to the child]
//   response memfd   written by the child; the host maps the header read-only and copies ring bytes out with
//     pread before it looks at them, so nothing it has checked can change, and no hole can fault
//     [ResponseHeader, 4 KiB][ring: frames to the host]
//
// Every shared word has one writer. Indices count bytes since the start and never wrap; the place in the ring
// is index % ring_bytes. Plain memory as both sides compile it: one machine, one release.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cape::child {

inline constexpr std::uint32_t header_bytes = 4096;
inline constexpr std::size_t metrics_max = 64;
inline constexpr std::uint64_t layout_magic = 0x3130'4550'4143'0003;  // also the layout's version

// Descriptors of the runner; every other one is closed before the plugin is loaded. It finds control and reaper open;
// the others come with the word to go, when it is known what it is to be.
enum RunnerFd : int {
  fd_control = 3,   // SOCK_SEQPACKET: one-byte doorbells both ways; end of file: the host is gone
  fd_request = 4,   // memfd
  fd_response = 5,  // memfd
  fd_plugin = 6,    // sealed memfd with the library
  fd_setup = 7,     // sealed memfd: Setup (host/child/setup.hpp) as msgpack
  fd_reaper = 8,    // stream socket of the reaper: it writes one ReaperReport; end of file: kill everything
  fd_life = 9,      // /dev/null or the caller's life_fd: stays open in every process of the child
};
inline constexpr std::array<int, 5> fds_given{fd_request, fd_response, fd_plugin, fd_setup, fd_life};
inline constexpr std::size_t title_bytes_max = 255;  // of argv[1], which the runner fills in for people

struct alignas(64) Word {
  std::atomic<std::uint64_t> value;
};

struct RequestHeader {  // writer: host
  std::uint64_t magic;
  std::uint64_t ring_bytes;
  Word head;             // bytes of requests written
  Word response_tail;    // bytes of responses consumed
  Word host_sleeps;      // 1: ring the doorbell when there is a response; starts at 1
  Word take_back;        // no event with a number >= this may start; starts at UINT64_MAX
  Word cancel;           // the event with this number + 1 shall stop early; 0: none
  Word lease_end_ns;     // CLOCK_BOOTTIME; the reaper kills everything when it has passed; 0: no lease
                         // yet; set it through ChildProcess::set_lease_end
  Word stopping;         // 1: no more requests will come; finish, destroy, deinit, exit(0)
};

// Where a process of the child is, for the report of its end.
enum class Phase : std::uint32_t { start, sandbox, load, init, create, idle, process, flush, destroy, deinit, done };

struct ResponseHeader {  // writer: child
  std::uint64_t magic;
  Word head;             // bytes of responses written
  Word request_tail;     // bytes of requests consumed
  Word child_sleeps;     // 1: ring the doorbell when there is a request
  Word progress;         // events started in this child's life: event number + 1 of the running one
  Word finished;         // events whose lambda has returned
  Word heartbeat;        // rises with each heartbeat and each start
  std::atomic<std::uint32_t> phase;      // Phase
  // Last words, from a signal handler or a failing setup: the kind is written last.
  std::atomic<std::uint32_t> last_kind;  // 0 none, 1 setup failed, 2 violation, 3 fatal signal
  std::int32_t last_signal;
  std::int32_t last_syscall;             // number, for a violation; -1: of another table, last_text tells
  std::uint64_t last_address;
  std::int32_t last_status;              // a failed setup: cape_status that init or create returned; else 0
  char last_check[4];                    // id of the check that the plugin fails ("S5"), NUL-padded; or empty
  // The plugin's own counters and gauges: the bits of a double each, by id - 1 (FrameKind::metric names
  // them).
  std::atomic<std::uint64_t> metrics[metrics_max];
  char last_text[1024];                  // NUL-terminated unless the child lies
};
static_assert(sizeof(RequestHeader) <= header_bytes && sizeof(ResponseHeader) <= header_bytes);

// What the reaper tells the host when the plugin's process has ended and no process is left beside it.
struct ReaperReport {
  std::uint32_t magic;       // 0xCA9E0001
  std::int32_t wait_status;  // as waitpid gives it
  std::uint32_t lease_passed;  // 1: the reaper killed it because the lease was over
  std::uint32_t reserved;
  std::uint64_t user_us, system_us, peak_kib;
};
inline constexpr std::uint32_t reaper_magic = 0xCA9E0001;
// Of the runner; a plugin may exit with them as well, so without the last words they prove nothing.
inline constexpr int exit_code_setup = 111;      // last_text says why
inline constexpr int exit_code_violation = 112;  // last_syscall says what

}  // namespace cape::child
