// Records every event, counts it (metric `recorded`) and succeeds.
//
//   config = { sleep_us = 1000 }                      each event takes that long
//   config = { times = true }                         the record says when each began
//   config = { marks = true }                         the record says which are replayed
//   config = { sleep_us = 1000, slow_subject = "a" }  only the events of that subject do
#include <chrono>
#include <thread>

#include "recorder.hpp"

#ifndef GUEST_SLEEP_US
#define GUEST_SLEEP_US 0
#endif

namespace {

class Guest {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : recorder_(host, config.get<bool>("times", false), config.get<bool>("marks", false)),
        recorded_(host.counter("recorded")),
        sleep_(config.get<std::int64_t>("sleep_us", GUEST_SLEEP_US)),
        slow_subject_(config.find<std::string>("slow_subject")) {
    if (!recorder_.is_open()) throw cape::ConfigError("record needs grant = { state = true }");
  }

  cape::Outcome operator()(const cape::Event& event) {
    recorder_.record(event);
    recorded_.add(1);
    if (sleep_.count() > 0 && (!slow_subject_ || *slow_subject_ == event.subject()))
      std::this_thread::sleep_for(sleep_);
    return cape::Outcome::ok();
  }

 private:
  zoo::Recorder recorder_;
  cape::Metric recorded_;
  std::chrono::microseconds sleep_;
  std::optional<std::string> slow_subject_;
};

}  // namespace

#ifndef GUEST_VERSION
#define GUEST_VERSION "1.0.0"
#endif
CAPE_LAMBDA(Guest, "record", GUEST_VERSION, CAPE_WANTS_STATE)
