// plugins/files/watcher.hpp
// Watcher is the thread that keeps the ledger true to the tree: it compares everything when it starts, then
// looks where inotify points. Everything again after an overflow, from time to time as a backstop, and every
// few seconds while the kernel does not give enough watches. What fails is said, and it begins anew a little
// later. Thread: its own, between construction and destruction; the public functions from any.
#pragma once

#include <atomic>
#include <cape/host.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "fd.hpp"

namespace files {

struct WatcherOptions {
  std::string root;       // absolute
  std::string state_dir;  // absolute
  std::string ledger;     // path of the database
  std::string domain;
  std::set<std::string> ignored;
  std::int64_t events_max = 0;
  std::chrono::milliseconds compare_every{0};            // as a backstop
  std::chrono::milliseconds compare_unwatched_every{0};  // without enough watches
};

class Watcher {
 public:
  Watcher(WatcherOptions options, const cape::Host& host);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Waits until the whole tree has been compared once since the start. False: not within `limit`.
  bool wait_compared(std::chrono::milliseconds limit);
  // Why the tree is not watched now; empty: it is, or is being compared.
  std::string trouble();

 private:
  class Life;
  void run();
  bool pause(std::chrono::milliseconds time);  // false: stopping
  void set_compared();
  void set_trouble(const std::string& trouble);
  void say(const std::string& text);

  WatcherOptions options_;
  cape::Host host_;
  files_below::Fd stop_event_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of the next three
  std::condition_variable changed_;
  bool compared_ = false;
  std::string trouble_;
  std::set<std::string> said_;  // the thread's own
  std::thread thread_;          // last: it uses everything above
};

}  // namespace files
