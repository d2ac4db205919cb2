// tests/broker/parts/canary_world.hpp
// CanaryWorld drives a Canary by hand, under virtual time; what it wants stored takes effect at once.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "broker/canary.hpp"

namespace cape::broker {

using storage::PluginVersion;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

inline const PluginVersion v1{"1111111111", "1.0"}, v2{"2222222222", "2.0"}, v3{"3333333333", "3.0"};

struct CanaryWorld {
  explicit CanaryWorld(CanaryPolicy policy = {.share = 500, .for_ms = 60'000},
                       storage::Canary stored = fresh())
      : canary(policy, std::move(stored)) {}

  static storage::Canary fresh() { return {.topology = "t", .lambda = "l"}; }
  static VersionSeen newest(PluginVersion version) { return {.version = std::move(version), .serves = true}; }
  static VersionSeen kept(PluginVersion version) { return {.version = std::move(version), .serves = false}; }

  // The hosts have that; what follows takes effect at once.
  void see(std::vector<VersionSeen> seen) {
    now.boot_ns += ns_per_s;
    canary.saw(seen, now);
    settle();
  }
  void settle() {
    for (CanaryLine& line : canary.take_lines()) said += line.text + "\n";
    if (canary.take_changed()) {
      ++changes;
      canary.took_effect(now);
    }
  }
  void run(bool candidate, std::uint32_t events, std::uint32_t failed = 0, std::int64_t ms = 2) {
    canary.ended({.of_candidate = candidate, .events_done = events - failed, .event_ns = ms * ns_per_ms});
    for (std::uint32_t i = 0; i < failed; ++i)
      canary.ended({.of_candidate = candidate, .failed = true, .event_ns = ms * ns_per_ms});
  }
  void pass(std::int64_t s) {
    now.boot_ns += s * ns_per_s;
    now.wall_ns += s * ns_per_s;
    canary.passed(now);
    settle();
  }
  // v1 serves, v2 is tried.
  void begin_canary() {
    see({newest(v1)});
    see({newest(v2), kept(v1)});
    ASSERT_EQ(canary.record().candidate, v2);
  }
  const storage::Canary& record() const { return canary.record(); }

  Canary canary;
  Now now{.boot_ns = 1000 * ns_per_s, .wall_ns = 5000 * ns_per_s};
  std::string said;
  int changes = 0;
};

}  // namespace cape::broker
