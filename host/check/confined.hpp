// host/check/confined.hpp
// Runs a reader of bytes that nobody vouches for in a forked child, so that what breaks the reader breaks
// that child alone. The child can compute, take memory, read descriptors that are open and give its answer;
// whatever else it asks of the kernel kills it, if the kernel has seccomp. No plugin code belongs in here:
// that runs in cape-runner. Thread: one, of a process without others (the child is a fork); blocks for
// `ms_max` at most, then the child is killed. Nothing of it is left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "host/check/check.hpp"

namespace cape::check {

inline constexpr std::size_t answer_bytes_max = 64u << 10;

struct Confined {
  Verdict verdict = Verdict::pass;  // else crashed, timeout, or skipped: there was no child
  std::string text;                 // pass: the answer, as little to be believed as the bytes; else why
};
// An exception that leaves `read` is a crash.
Confined run_confined(const std::function<std::string()>& read, std::int64_t ms_max = check_ms_max);

}  // namespace cape::check
