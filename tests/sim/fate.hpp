// tests/sim/fate.hpp
// Fate is time and chance of one run of the simulation: what happens when, in the order of virtual time and
// of equal times in the order in which it was asked for, and one source of random numbers. Every part draws
// from it, so a seed says all. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "core/clock.hpp"

namespace cape::sim {

inline constexpr std::int64_t ms = ns_per_ms;

class Fate {
 public:
  // Things fail for the first `trouble_ns`.
  Fate(std::uint64_t seed, std::int64_t trouble_ns);

  Now now() const { return now_; }
  std::int64_t now_ns() const { return now_.boot_ns; }
  std::int64_t trouble_end_ns() const { return trouble_end_ns_; }
  bool in_trouble() const { return now_.boot_ns < trouble_end_ns_; }

  using Deed = std::move_only_function<void()>;
  void at(std::int64_t delay_ns, Deed what);
  // Only if `life` has not ended by then.
  void at(std::int64_t delay_ns, const std::shared_ptr<void>& life, Deed what);

  std::int64_t some(std::int64_t low_ns, std::int64_t high_ns);  // both may come
  bool chance(double probability);
  bool trouble(double probability) { return in_trouble() && chance(probability); }
  std::uint64_t below(std::uint64_t count) { return random_() % count; }
  std::mt19937_64& random() { return random_; }

  // Does what comes next unless that is after `end_ns`: then it is `end_ns`. false: nothing was done.
  bool step(std::int64_t end_ns);

 private:
  struct Due {
    std::int64_t at_ns = 0;
    std::uint64_t number = 0;
    std::size_t slot = 0;
    bool operator>(const Due& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : number > other.number;
    }
  };
  struct Slot {
    Deed what;
    std::weak_ptr<void> life;
    bool ends_with_life = false;
  };
  Slot& add(std::int64_t delay_ns);
  void go_to(std::int64_t at_ns);

  std::mt19937_64 random_;
  Now now_{.boot_ns = 1000 * ns_per_s, .wall_ns = 1'700'000'000 * ns_per_s};
  std::int64_t trouble_end_ns_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
  std::deque<Slot> slots_;  // what is due, apart: the queue moves a lot
  std::vector<std::size_t> free_;
  std::uint64_t queued_ = 0;
};

}  // namespace cape::sim
