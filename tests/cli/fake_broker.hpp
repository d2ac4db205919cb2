// tests/cli/fake_broker.hpp
// A broker's sockets with nothing behind them: answers admin requests and acknowledged pings from functions,
// and collects pushed pings. Thread: its own, until it is destroyed.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "wire/messages.hpp"

namespace cape::cli {

struct FakeAnswers {
  std::function<wire::AdminReply(const wire::AdminRequest&)> admin;
  std::function<wire::PingReply(const wire::Ping&)> ping;
};

class FakeBroker {
 public:
  // Listens below `data_dir`/run, where an unconfigured broker does. Aborts the test if it cannot.
  FakeBroker(const std::filesystem::path& data_dir, FakeAnswers answers);
  ~FakeBroker();
  // The next pushed ping; waits up to 10 s for it.
  std::optional<wire::Ping> pushed();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cape::cli
