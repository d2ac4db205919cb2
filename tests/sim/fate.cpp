#include "tests/sim/fate.hpp"

#include <utility>

namespace cape::sim {

Fate::Fate(std::uint64_t seed, std::int64_t trouble_ns)
    : random_(seed), trouble_end_ns_(now_.boot_ns + trouble_ns) {}

void Fate::at(std::int64_t delay_ns, std::function<void()> what) {
  queue_.push({now_.boot_ns + delay_ns, ++queued_, std::move(what)});
}

void Fate::at(std::int64_t delay_ns, const std::shared_ptr<void>& life, std::function<void()> what) {
  at(delay_ns, [life = std::weak_ptr<void>(life), what = std::move(what)] {
    if (!life.expired()) what();
  });
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
  // Its own order keeps the queue sound: nothing looks at what is moved out before the pop.
  Due due = std::move(const_cast<Due&>(queue_.top()));
  queue_.pop();
  go_to(due.at_ns);
  due.what();
  return true;
}

void Fate::go_to(std::int64_t at_ns) {
  const std::int64_t passed = at_ns - now_.boot_ns;
  now_.boot_ns += passed;
  now_.wall_ns += passed;
}

}  // namespace cape::sim
