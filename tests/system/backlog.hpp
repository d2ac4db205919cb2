// tests/system/backlog.hpp
// Very many subjects that are all behind when `cape up` starts.
#pragma once

#include <cstdint>

namespace cape::test {

inline constexpr std::uint64_t broker_bytes_max = 512u << 20;

// Appends one event for each of `subjects` subjects without a ping, lets `cape up` come through a third of
// them, kills it with SIGKILL, and expects of the next start that it finishes them all, and of a third that
// `cape coverage` says so; of each that the process of broker and host never had more than broker_bytes_max
// in memory. Prints what it took. A gtest helper.
void expect_backlog_is_worked_off(std::uint64_t subjects);

}  // namespace cape::test
