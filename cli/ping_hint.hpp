// cli/ping_hint.hpp
// PingHints tells a running broker about appended events, as far as it can: a ping may be lost, refresh finds
// what no ping told about, so nothing here is an error. Thread: one.
#pragma once

#include <memory>
#include <string_view>

#include "core/config/config.hpp"

namespace cape::cli {

class PingHints {
 public:
  PingHints(const Config& config, std::string domain);
  ~PingHints();
  void send(std::string_view subject, Sequence sequence);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cape::cli
