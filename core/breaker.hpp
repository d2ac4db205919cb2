// core/breaker.hpp
// Breaker notices that something fails whatever it is asked for, and from then on lets single probes through,
// until one of them succeeds. Pure: time is passed in. Thread: the owner's.
//
//   closed ──`subjects` different ones failed, and nothing succeeded between──▶ open
//      ▲                                                                         │
//      └────────────────────────────── one success ──────────────────────────────┘
//
// It cannot know whether everything fails or only what was tried last. So a *fresh* subject, one that has not
// failed itself, probes at once: if just those others are bad, it succeeds and all goes on. Only when fresh ones
// fail too do they wait, each time twice as long. Those that have failed probe by themselves, with a wait of
// their own, so that neither kind holds up the other: whoever asks must not let them wait behind fresh ones.
#pragma once

#include <cstdint>
#include <vector>

namespace cape {

class Breaker {
 public:
  struct Policy {
    std::uint32_t subjects = 5;    // 0: it never opens
    std::int64_t wait_first_ns = 0;
    std::int64_t wait_max_ns = 0;
  };
  explicit Breaker(Policy policy) : policy_(policy) {}

  bool is_open() const { return open_; }
  std::int64_t opened_ns() const { return opened_ns_; }  // boot time
  // How often it has opened, and how many probes it let through.
  std::uint64_t times_opened() const { return times_opened_; }
  std::uint64_t probes() const { return probes_; }

  // While closed everything may go. While open one probe of each kind; a fresh one that has been out for
  // wait_first_ns holds up no other.
  bool admits(bool fresh, std::int64_t now_ns) const { return !open_ || now_ns >= ready_ns(fresh); }
  // Boot time from when on a probe of that kind may go; INT64_MAX: one is out and has to end first.
  std::int64_t ready_ns(bool fresh) const;

  // `id` was let through while it was open. Requires: admits(fresh).
  void begin_probe(std::uint64_t id, bool fresh, std::int64_t now_ns);
  void on_success();
  // `id` failed at `subject`. While it is open only probes count.
  void on_failure(std::uint64_t subject, std::uint64_t id, std::int64_t now_ns);
  // `id` ended without telling anything.
  void on_end(std::uint64_t id);

 private:
  struct Probe {
    std::uint64_t out = 0;  // 0: none
    std::int64_t since_ns = 0, next_ns = 0, wait_ns = 0;
  };
  void open(std::int64_t now_ns);

  Policy policy_;
  bool open_ = false;
  std::int64_t opened_ns_ = 0;
  std::uint64_t times_opened_ = 0, probes_ = 0;
  std::vector<std::uint64_t> failed_;  // while closed: different subjects, fewer than policy_.subjects
  Probe fresh_, failed_before_;
};

}  // namespace cape
