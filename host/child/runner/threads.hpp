// How many threads this process has, counted without /proc, which a child does not have. For checks: it costs
// a system call for each number that a thread of it could have.
#pragma once

#include <cstdint>

namespace cape::child {

// -1: nobody can tell, for the numbers are too far apart.
int count_threads();
// The same once it is at most `most`, or after `wait_ns`: a thread that was joined is there for a moment more.
int count_threads(int most, std::int64_t wait_ns);

}  // namespace cape::child
