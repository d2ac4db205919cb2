#include <poll.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "host/child/process.hpp"
#include "host/child/sandbox/setup_kinds.hpp"
#include "host/child/sandbox/shared_memory.hpp"
#include "host/child/sandbox/start.hpp"

namespace cape::child {
namespace {

constexpr std::int64_t probe_ms_max = 5'000;

Result<std::string> verdict_of(ChildProcess& child) {
  const std::int64_t give_up_ns = boot_ns() + probe_ms_max * ns_per_ms;
  while (!child.end()) {
    const std::int64_t left_ms = (give_up_ns - boot_ns()) / ns_per_ms;
    if (left_ms <= 0) return fail(ErrorCode::unavailable, "the probe did not end within 5 s");
    pollfd ready = {child.fd(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(left_ms));
    child.poll();
  }
  const ResponseHeader& words = child.response();
  std::string text(words.last_text, sizeof words.last_text);
  text.resize(text.find('\0') == std::string::npos ? text.size() : text.find('\0'));
  const bool told = static_cast<Phase>(words.phase.load()) == Phase::done && !text.empty();
  if (!told) return fail(ErrorCode::unavailable, "the probe failed: " + text);
  return text;
}

Result<std::string> run_probe() {
  const Result<MachineFacts>& facts = machine_facts();
  if (!facts) return std::unexpected(facts.error());
  Result<UniqueFd> nothing = sealed_memfd("cape-probe", "");
  if (!nothing) return std::unexpected(nothing.error());
  auto image = std::make_shared<PluginImage>();
  image->memfd = std::move(*nothing);
  image->file = "probe";
  ChildSpec spec;
  spec.image = image;
  spec.require_level = 'D';
  Result<std::unique_ptr<ChildProcess>> child = start_process(spec, *facts, setup_kind_probe);
  if (!child) return std::unexpected(child.error());
  return verdict_of(**child);
}

}  // namespace

Probe probe_sandbox() {
  const Result<std::string> verdict = run_probe();
  if (!verdict) return {.level = 'D', .missing = verdict.error().message};
  return {.level = verdict->front(), .missing = verdict->substr(1)};
}

}  // namespace cape::child
