// A child may be started anew or of a spare, and what holds of one has to hold of the other: tests that start
// children run a second time with CAPE_TEST_SPARE=1 in their environment.
#pragma once

#include <cstdlib>

#include "host/child/spare.hpp"

namespace cape::child {

// `start(Spare*)`, with one that has something in it or with null.
template <class Start>
auto start_either_way(Start start) {
  if (std::getenv("CAPE_TEST_SPARE") == nullptr) return start(static_cast<Spare*>(nullptr));
  Spare spare;
  spare.refill();
  return start(&spare);
}

}  // namespace cape::child
