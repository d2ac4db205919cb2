// Gives for each event which version ran it and when: "VERSION BEGIN_NS END_NS", by CLOCK_MONOTONIC. Built
// several times, with another version and another fault in each.
//
//   VERSIONED_FAILS      the first attempt of every second event fails
//   VERSIONED_SLEEPS_MS  each event takes that long
#include <cape/lambda.hpp>
#include <chrono>
#include <string>
#include <thread>

#ifndef VERSIONED_FAILS
#define VERSIONED_FAILS 0
#endif
#ifndef VERSIONED_SLEEPS_MS
#define VERSIONED_SLEEPS_MS 0
#endif

namespace {

std::string now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::to_string(std::chrono::nanoseconds(now).count());
}

struct Guest {
  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    const std::string begin = now_ns();
    if (VERSIONED_SLEEPS_MS > 0) std::this_thread::sleep_for(std::chrono::milliseconds(VERSIONED_SLEEPS_MS));
    if (VERSIONED_FAILS && event.attempt() == 0 && event.sequence() % 2 == 0)
      return cape::Outcome::retry("this version fails");
    call.emit(std::string(VERSIONED) + " " + begin + " " + now_ns());
    return cape::Outcome::ok();
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "versioned", VERSIONED)
