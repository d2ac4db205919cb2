#include "tests/sim/fate.hpp"

#include <utility>

namespace cape::sim {

Fate::Fate(std::uint64_t seed, std::int64_t trouble_ns)
    : random_(seed), trouble_end_ns_(now_.boot_ns + trouble_ns) {}

Fate::Slot& Fate::add(std::int64_t delay_ns) {
  if (free_.empty()) {
    free_.push_back(slots_.size());
    slots_.emplace_back();
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  queue_.push({now_.boot_ns + delay_ns, ++queued_, slot});
  return slots_[slot];
}

void Fate::at(std::int64_t delay_ns, Deed what) {
  add(delay_ns).what = std::move(what);
}

void Fate::at(std::int64_t delay_ns, const std::shared_ptr<void>& life, Deed what) {
  Slot& slot = add(delay_ns);
  slot.what = std::move(what);
  slot.life = life;
  slot.ends_with_life = true;
}

std::int64_t Fate::some(std::int64_t low_ns, std::int64_t high_ns) {
  return low_ns + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high_ns - low_ns + 1));
}

bool Fate::chance(double probability) {
  return static_cast<double>(random_() % 1'000'000) < probability * 1'000'000;
}

bool Fate::step(std::int64_t end_ns) {
  if (queue_.empty() || queue_.top().at_ns > end_ns) {
    go_to(end_ns);
    return false;
  }
  const Due due = queue_.top();
  queue_.pop();
  go_to(due.at_ns);
  Slot slot = std::exchange(slots_[due.slot], {});
  free_.push_back(due.slot);
  if (!slot.ends_with_life || !slot.life.expired()) slot.what();
  return true;
}

void Fate::go_to(std::int64_t at_ns) {
  const std::int64_t passed = at_ns - now_.boot_ns;
  now_.boot_ns += passed;
  now_.wall_ns += passed;
}

}  // namespace cape::sim
