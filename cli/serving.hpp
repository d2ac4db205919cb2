// cli/serving.hpp
// What the commands that serve (`up`, `broker`, `host`) have in common: signals, locks, directories, and the
// broker's part. Thread: main.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/dispatcher.hpp"
#include "cli/context.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "storage/cursor_store.hpp"

namespace CLI {
class App;
}

namespace cape::cli {

// The config with what is run beside it: the shadows of its topologies.
std::expected<Config, Ending> load_served(const Context& context);

// SIGTERM and SIGINT as a descriptor. Blocked in every thread made later.
Result<UniqueFd> take_signals();

// One part's hold on the data_dir.
struct Hold {
  storage::DataDirLock lock;
  UniqueFd life;           // children of the part keep it open; none of an earlier start is left
  std::uint64_t home = 0;  // of a host: see storage::host_home
};
// Waits for the children of an earlier start to end.
Result<Hold> take_hold(const Config& config, storage::Part part);

struct BrokerOptions {
  bool until_idle = false;
  std::string timeout = "60s";
  std::string record;
};
// Declares --until-idle, --timeout and --record, bound to `options`, which must live as long as `app`.
void add_broker_options(CLI::App& command, BrokerOptions& options);
// nullopt inside: not asked for. Or an end that says what it takes.
std::expected<std::optional<std::int64_t>, Ending> until_idle_ms(const BrokerOptions& options);

// The run directory, 0700, and the store.
Result<std::unique_ptr<storage::CursorStore>> open_store(const Config& config);

// How far a run with --until-idle is, on a terminal; of any other run nothing. Lives as long as the run, and
// is not moved while it goes on. Thread: the broker's loop.
class RunProgressLine {
 public:
  RunProgressLine();
  void show(const broker::RunProgress& run);

 private:
  Progress line_;
};

Ending ending_of(broker::RunEnd end);

}  // namespace cape::cli
