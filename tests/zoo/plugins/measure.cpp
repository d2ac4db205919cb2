// Counts how long after their time events begin, in counters `le_0`, `le_1`, ... of which each reaches a
// quarter further than the one before, from 0.1 ms on; and all of them in `events`. Behaves.
#include <cape/lambda.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace {

constexpr int buckets = 52;  // the last one reaches 9 s
constexpr double first_ns = 100'000, step = 1.25;

class Guest {
 public:
  Guest(const cape::Config&, const cape::Host& host) : events_(host.counter("events")) {
    for (int i = 0; i < buckets; ++i) within_.push_back(host.counter("le_" + std::to_string(i)));
  }

  cape::Outcome operator()(const cape::Event& event) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto late_ns = static_cast<double>(std::chrono::nanoseconds(now).count() - event.time_ns());
    double end_ns = first_ns;
    int bucket = 0;
    for (; bucket < buckets && late_ns > end_ns; ++bucket) end_ns *= step;
    if (bucket < buckets) within_[static_cast<std::size_t>(bucket)].add(1);
    events_.add(1);
    return cape::Outcome::ok();
  }

 private:
  cape::Metric events_;
  std::vector<cape::Metric> within_;
};

}  // namespace

CAPE_LAMBDA(Guest, "measure", "1.0.0")
