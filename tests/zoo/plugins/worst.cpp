// Does its worst, as the payload says.
#include <atomic>
#include <cape/lambda.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void spin() {
  for (;;) std::atomic_signal_fence(std::memory_order_seq_cst);
}

[[noreturn]] void take_memory() {
  for (;;) {
    auto* kept = new char[1 << 20];
    for (int at = 0; at < 1 << 20; at += 4096) static_cast<volatile char*>(kept)[at] = 1;
  }
}

void start_threads() {
  std::vector<std::thread> threads;
  try {
    for (;;) threads.emplace_back(spin);
  } catch (...) {
    spin();
  }
}

void flood_log(cape::Call& call) {
  const std::string line(4000, 'x');
  for (int i = 0; i < 20'000; ++i) call.log(CAPE_LOG_ERROR, line);
}

void flood_stderr() {
  const std::string line(4000, 'y');
  for (int i = 0; i < 20'000; ++i) std::fprintf(stderr, "%s\n", line.c_str());
}

struct Guest {
  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    const auto act = event.payload();
    if (act == "crash") std::abort();
    if (act == "spin") spin();
    if (act == "memory") take_memory();
    if (act == "threads") start_threads();
    if (act == "log") flood_log(call);
    if (act == "stderr") flood_stderr();
    if (act == "output") call.emit(std::string(1 << 20, 'z'));
    return cape::Outcome::retry("once more");
  }
};

}  // namespace

CAPE_LAMBDA(Guest, "worst", "1.0.0")
