// tests/system/leaks.hpp
// A lambda that leaks memory with every event.
#pragma once

#include <cstdint>

namespace cape::test {

// Runs `events` events, of each of which `bytes` are never given back, and expects that all are processed, in
// several children, one after the other. A gtest helper.
struct Leak {
  int events = 0;
  std::uint64_t bytes = 0;
};
void expect_leak_is_recycled(const Leak& leak);

}  // namespace cape::test
