// tests/system/relay.hpp
// Relay is a wire between two ends of ipc sockets that a test can cut: neither side sees it end, bytes just
// stop, as when a network drops packets. What was sent meanwhile arrives, late, when it is whole again.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/unique_fd.hpp"

namespace cape::test {

class Relay {
 public:
  // Listens at `from` and carries each connection to `to`.
  Relay(const std::filesystem::path& from, std::filesystem::path to);
  ~Relay();
  Relay(const Relay&) = delete;

  std::string endpoint() const { return "ipc://" + from_.string(); }
  void cut() { is_cut_ = true; }
  void heal() { is_cut_ = false; }

 private:
  using Ends = std::pair<UniqueFd, UniqueFd>;
  void run(const std::stop_token& stop);
  void accept();
  static bool carry(int from, int to);

  std::filesystem::path from_, to_;
  UniqueFd listener_;
  std::vector<Ends> connections_;  // of the thread
  std::atomic<bool> is_cut_ = false;
  std::jthread thread_;
};

}  // namespace cape::test
