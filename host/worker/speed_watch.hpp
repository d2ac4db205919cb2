// host/worker/speed_watch.hpp
// SpeedWatch finds out whether new bytes of a plugin are slower by far than those before them: it compares
// the p95 of the first events of the new ones with that of the last events of the old ones, once for each
// change. Bytes that ran too few events are compared with nothing later; those before them stay the measure.
// A job counts as many events, each with the mean of its time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cape::host {

class SpeedWatch {
 public:
  struct Limits {
    double slower = 5;  // times as long; 0: nothing is compared
    std::int64_t above_ns = 10'000'000;
    std::uint32_t events = 100;  // of each that are compared
  };
  explicit SpeedWatch(Limits limits) : limits_(limits) {}

  // Other bytes serve now.
  void begins(const std::string& hash);
  // `events` events of the bytes that serve took this long in all. The text, said once: they are slower by
  // far.
  std::optional<std::string> took(std::int64_t all_ns, std::uint32_t events);

 private:
  bool is_full() const { return recent_.size() >= limits_.events; }
  std::int64_t p95() const;  // requires is_full()
  void add(std::int64_t each_ns);

  struct Measure {
    std::string hash;
    std::int64_t p95_ns = 0;
  };
  Limits limits_;
  std::string hash_;
  std::vector<std::int64_t> recent_;  // at most limits_.events; then the oldest is replaced
  std::size_t oldest_ = 0;
  bool compared_ = false, slow_ = false;  // the bytes that serve
  std::optional<Measure> before_;
};

}  // namespace cape::host
