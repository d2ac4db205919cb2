#include "tests/bench/child_times.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "core/clock.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/spare.hpp"
#include "tests/bench/syscall_count.hpp"
#include "tests/child/driver.hpp"

namespace cape::bench {
namespace {

using child::LambdaChild;
using Reports = std::vector<child::LambdaReport>;

std::unique_ptr<LambdaChild> start(const child::ChildSpec& spec, child::Spare* spare = nullptr) {
  auto started = child::start_lambda_child(spec, spare);
  if (!started) throw std::runtime_error(started.error().message);
  return *std::move(started);
}

void wait_for(LambdaChild& child, Reports& reports) {
  pollfd readable{.fd = child.fd(), .events = POLLIN, .revents = 0};
  ::poll(&readable, 1, 100);
  child.poll(reports);
}

template <class Wanted>
void until(LambdaChild& child) {
  Reports reports;
  const std::int64_t deadline_ns = boot_ns() + 60 * ns_per_s;
  while (child::pick<Wanted>(reports).empty()) {
    if (boot_ns() > deadline_ns) throw std::runtime_error("the child does not answer");
    for (const auto& ended : child::pick<child::ChildEnded>(reports))
      throw std::runtime_error(ended.end.reason);
    wait_for(child, reports);
  }
}

std::int64_t start_to_ready_ns(const child::ChildSpec& spec, child::Spare* spare = nullptr) {
  const std::int64_t begun_ns = boot_ns();
  const auto child = start(spec, spare);
  until<child::ChildReady>(*child);
  return boot_ns() - begun_ns;
}

// The plugin's process: the one child of the reaper.
pid_t plugin_pid(pid_t reaper) {
  const std::string number = std::to_string(reaper);
  pid_t pid = 0;
  std::ifstream("/proc/" + number + "/task/" + number + "/children") >> pid;
  return pid;
}

// Keeps the child busy: as many jobs are with it as its host would give it.
std::int64_t run_events(LambdaChild& child, const Load& load) {
  constexpr std::size_t jobs_ahead = 8;
  const std::string payload(static_cast<std::size_t>(load.payload_bytes),
                            load.outputs == Outputs::reserved ? 'r' : 'x');
  wire::RunJob job = child::job_of(
      1, "subject", std::vector<std::string>(static_cast<std::size_t>(load.batch), payload));
  if (load.outputs != Outputs::none) job.outputs_bytes_max = 1u << 30;
  Reports reports;
  std::int64_t given = 0, done = 0;
  while (done < load.events) {
    bool gave = false;
    while (given < load.events && child.jobs_out() < jobs_ahead && child.submit(job, false)) {
      ++job.job;
      given += load.batch;
      gave = true;
    }
    if (gave) child.wake();
    child.poll(reports);
    if (reports.empty()) wait_for(child, reports);
    for (const auto& end : child::pick<child::ChildJobDone>(reports)) done += end.status.events_done;
    for (const auto& ended : child::pick<child::ChildEnded>(reports))
      throw std::runtime_error(ended.end.reason);
    reports.clear();
  }
  return done;
}

}  // namespace

std::int64_t plain_start_ns() {
  char program[] = "/bin/true";
  char* const arguments[] = {program, nullptr};
  pid_t pid = 0;
  const std::int64_t begun_ns = boot_ns();
  if (::posix_spawn(&pid, program, nullptr, nullptr, arguments, nullptr) != 0)
    throw std::runtime_error("/bin/true cannot be started");
  ::waitpid(pid, nullptr, 0);
  return boot_ns() - begun_ns;
}

Starts measure_starts(int count) {
  const child::ChildSpec spec = child::spec_of("idle", child::ChildKind::lambda);
  start_to_ready_ns(spec);  // what is made once a process is made
  Starts starts;
  child::Spare spare;
  for (int i = 0; i < count; ++i) {
    starts.child_ns.push_back(start_to_ready_ns(spec));
    spare.refill();
    starts.plain_ns.push_back(plain_start_ns());
    starts.spare_ns.push_back(start_to_ready_ns(spec, &spare));
  }
  return starts;
}

Carried measure_transport(const Load& load) {
  const std::string plugin = load.outputs == Outputs::none ? "idle" : "gives";
  const auto child = start(child::spec_of(plugin, child::ChildKind::lambda));
  until<child::ChildReady>(*child);
  Load warm_up = load;
  warm_up.events /= 10;
  run_events(*child, warm_up);
  const auto host_calls = SyscallCount::of(0), child_calls = SyscallCount::of(plugin_pid(child->pid()));
  const std::int64_t begun_ns = boot_ns();
  const auto done = static_cast<double>(run_events(*child, load));
  Carried carried{.events_per_s = done * 1e9 / static_cast<double>(boot_ns() - begun_ns)};
  if (host_calls) carried.host_syscalls = static_cast<double>(host_calls->read()) / done;
  if (child_calls) carried.child_syscalls = static_cast<double>(child_calls->read()) / done;
  if (!host_calls) carried.why_not_counted = host_calls.error().message;
  return carried;
}

}  // namespace cape::bench
