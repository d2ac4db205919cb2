#include "host/check/escapes.hpp"

#include <fmt/format.h>

#include "host/check/checker.hpp"
#include "host/check/specs.hpp"
#include "host/check/trial.hpp"
#include "host/child/intake.hpp"

namespace cape::check {
namespace {

constexpr Escape all[] = {
    {"host_file", "read a file of the machine"},
    {"write_outside", "write a file that was not granted"},
    {"host_processes", "look at the machine's processes"},
    {"tcp", "open a TCP socket"},
    {"udp", "open a UDP socket"},
    {"unix_socket", "open a Unix socket"},
    {"netlink", "talk to the kernel by netlink"},
    {"fork", "start a process"},
    {"run_program", "run a program"},
    {"signal_other", "send a signal to another process"},
    {"trace_other", "trace another process"},
    {"read_other", "read another process's memory"},
    {"shared_memory", "share memory with other processes"},
    {"new_namespace", "make a namespace"},
    {"capabilities", "hold a capability"},
    {"bpf", "use bpf"},
    {"io_uring", "use io_uring"},
    {"perf_event", "use perf events"},
    {"keyring", "use the kernel's keyring"},
    {"new_code", "map memory that is writable and executable"},
    {"memory", "take more memory than its limit"},
    {"threads", "start more threads than its limit"},
    {"files", "open more files than its limit"},
};

// A program that took the child's place ends it with the program's own exit.
Attempted judge(const LambdaTrial& trial) {
  if (!trial.done.empty()) {
    const Outcome& end = trial.done.front().status.end;
    if (is_done(end.kind)) return {Held::no, "it succeeded", {}};
    if (end.kind == OutcomeKind::failed) return {Held::yes, "refused: " + end.reason, {}};
    return {Held::unknown, fmt::format("{}: {}", name_of(end.kind), end.reason), {}};
  }
  const Outcome& end = trial.ended.end;
  if (end.kind == OutcomeKind::violation) return {Held::yes, "killed for it", {}};
  return {end.kind == OutcomeKind::exited ? Held::no : Held::unknown,
          fmt::format("{}: {}", name_of(end.kind), end.reason),
          {}};
}

}  // namespace

std::span<const Escape> escapes() {
  return all;
}

const char* name_of(Held held) {
  switch (held) {
    case Held::yes:
      return "held";
    case Held::no:
      return "not held";
    case Held::unknown:
      break;
  }
  return "unknown";
}

Result<child::PluginImagePtr> take_probe() {
  const Result<fs::path> file = child::probe_path();
  if (!file) return std::unexpected(file.error());
  auto image = take_image(*file);
  if (!image) return std::unexpected(image.error());
  auto manifest = read_manifest(**image);
  if (!manifest) return std::unexpected(manifest.error());
  return *image;
}

Attempted try_escape(const child::PluginImagePtr& probe, const Escape& escape) {
  Bench bench;
  bench.image = probe;
  const TrialEvent event{.subject = "doctor", .type = {}, .payload = escape.id};
  const auto trial = try_lambda(lambda_of(bench, {}), {job_of(1, std::span(&event, 1))},
                                {.ms_max = attempt_ms_max, .on_ready = {}, .watch = {}, .tell = {}});
  if (!trial) return {Held::unknown, trial.error().message, {}};
  Attempted attempted = judge(*trial);
  if (trial->ready) attempted.sandbox = trial->ready->sandbox;
  return attempted;
}

}  // namespace cape::check
