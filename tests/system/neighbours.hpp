// tests/system/neighbours.hpp
// Neighbours is a `cape up` with a lambda that gets events at a fixed rate, and beside it, on demand, one
// that does its worst. Tells how late the events of the first begin.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/system/site.hpp"

namespace cape::test {

// What the hostile plugin can do.
const std::vector<std::string>& worst_acts();

struct Felt {
  std::uint64_t appended = 0, processed = 0;  // of events at the rate
  double p95_ms = 0, p99_ms = 0;              // append to start
};

class Neighbours {
 public:
  explicit Neighbours(int events_per_s);
  bool up();
  // How it is for so long, alone or beside a plugin that does `act` without end.
  Felt alone(std::chrono::seconds time);
  Felt beside(const std::string& act, std::chrono::seconds time);
  std::string log() const { return site_.up_log(); }

 private:
  Felt run(std::chrono::seconds time);
  std::vector<std::uint64_t> counted() const;  // events, then the buckets

  Site site_;
  int events_per_s_;
};

}  // namespace cape::test
