#include "cli/serving.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/console.hpp"
#include "core/clock.hpp"
#include "core/config/shadow.hpp"
#include "core/config/units.hpp"
#include "storage/host_home.hpp"
#include "storage/life_lock.hpp"

namespace cape::cli {
namespace {

constexpr std::int64_t old_children_wait_ms = 30'000;

Result<void> make_run_dir(const Config& config) {
  std::error_code error;
  fs::create_directories(config.run_dir(), error);
  if (!error) fs::permissions(config.run_dir(), fs::perms::owner_all, error);
  if (error) return fail(ErrorCode::io, "cannot make " + config.run_dir().string() + ": " + error.message());
  return {};
}

}  // namespace

std::expected<Config, Ending> load_served(const Context& context) {
  auto config = load(context);
  if (!config) return config;
  return with_shadows(std::move(*config));
}

Result<UniqueFd> take_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno(ErrorCode::io, "cannot receive signals", errno);
  return fd;
}

Result<Hold> take_hold(const Config& config, storage::Part part) {
  auto lock = storage::DataDirLock::take(config.data_dir, part);
  if (!lock) return std::unexpected(lock.error());
  auto life = storage::take_life_lock(config.data_dir, old_children_wait_ms, part);
  if (!life) return std::unexpected(life.error());
  Hold hold{.lock = std::move(*lock), .life = std::move(*life)};
  if (part == storage::Part::broker) return hold;
  const auto home = storage::host_home(config.data_dir);
  if (!home) return std::unexpected(home.error());
  hold.home = *home;
  return hold;
}

void add_broker_options(CLI::App& command, BrokerOptions& options) {
  command.add_flag("--until-idle", options.until_idle,
                   "End when every event is processed (exit 0), or all that is behind is parked (3)");
  command.add_option("--timeout", options.timeout, "With --until-idle: give up after this long (exit 5)")
      ->capture_default_str();
  command.add_option("--record", options.record,
                     "Write what the scheduler is told to this file, to replay its decisions");
}

std::expected<std::optional<std::int64_t>, Ending> until_idle_ms(const BrokerOptions& options) {
  if (!options.until_idle) return std::nullopt;
  const auto ms = config::parse_duration_ms(options.timeout);
  if (ms) return *ms;
  return std::unexpected(
      complain(Exit::usage,
               fmt::format("--timeout takes a duration like 60s or 5m, not '{}'", shown(options.timeout))));
}

Result<std::unique_ptr<storage::CursorStore>> open_store(const Config& config) {
  if (auto made = make_run_dir(config); !made) return std::unexpected(made.error());
  return storage::open_sqlite_store(config.data_dir);
}

RunProgressLine::RunProgressLine() : line_(STDERR_FILENO, boot_ns()) {}

void RunProgressLine::show(const broker::RunProgress& run) {
  if (!line_.is_due(run.boot_ns)) return;
  const std::int64_t elapsed_ms = std::max<std::int64_t>((run.boot_ns - run.started_ns) / ns_per_ms, 1);
  line_.show(run.boot_ns,
             fmt::format("{} events done, {} a second; {} jobs in flight; {} s", with_commas(run.events_done),
                         with_commas(run.events_done * 1000 / static_cast<std::uint64_t>(elapsed_ms)),
                         run.jobs_in_flight, elapsed_ms / 1000));
}

Ending ending_of(broker::RunEnd end) {
  switch (end) {
    case broker::RunEnd::stopped:
    case broker::RunEnd::idle:
      return Exit::done;
    case broker::RunEnd::idle_stopped:
      return complain(
          Exit::behind,
          "all that is behind is parked, paused or waits on such; `cape topology list` counts it");
    case broker::RunEnd::timed_out:
      return complain(Exit::timed_out,
                      "not every event was processed in time; give it longer with --timeout");
  }
  return complain(Exit::failed, "it ended in a way that this version has no word for");
}

}  // namespace cape::cli
