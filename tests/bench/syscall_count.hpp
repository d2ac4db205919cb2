// tests/bench/syscall_count.hpp
// SyscallCount counts the system calls of one thread, from the kernel's own tracepoint. Thread: any.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/error.hpp"
#include "core/unique_fd.hpp"

namespace cape::bench {

class SyscallCount {
 public:
  // `thread`: its id; 0: the calling one. Error: this machine does not let us count, with the reason.
  static Result<SyscallCount> of(pid_t thread);
  std::uint64_t read() const;  // since it was made

 private:
  explicit SyscallCount(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace cape::bench
