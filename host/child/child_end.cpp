#include "host/child/child_end.hpp"

#include <fmt/format.h>
#include <seccomp.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "host/child/violation.hpp"

namespace cape::child {
namespace {

enum LastKind : std::uint32_t { none = 0, setup_failed = 1, violation = 2, fatal_signal = 3 };

std::string name_syscall(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string text = name != nullptr ? std::string(name) : fmt::format("system call {}", number);
  std::free(name);  // the library hands out malloc'ed memory
  return text;
}

std::string_view name_profile(const Grant& grant) {
  return grant.empty() ? "pure" : "of its grants";
}

// The kernel ends a child at once that made the call with SIGSYS blocked: no handler runs and names it.
Outcome describe_unnamed_violation(const ChildSpec& spec) {
  return {OutcomeKind::violation,
          fmt::format("a system call that is not known, as it had blocked SIGSYS, is not allowed in profile "
                      "{}; leave SIGSYS unblocked to see which one",
                      name_profile(spec.grant))};
}

Outcome describe_violation(const ChildSpec& spec, const LastWords& words) {
  if (words.kind != violation) return describe_unnamed_violation(spec);
  const std::string syscall = words.text.empty() ? name_syscall(words.syscall) : words.text;
  return {OutcomeKind::violation, fmt::format("{} is not allowed in profile {}; {}", syscall,
                                              name_profile(spec.grant), advice_on(words.syscall))};
}

Outcome describe_signal(int signal, const LastWords& words) {
  const bool with_address = words.kind == fatal_signal && words.signal == signal && signal != SIGABRT;
  std::string what = with_address ? fmt::format("{} at address {:#x}", name_signal(signal), words.address)
                                  : name_signal(signal);
  if (!words.text.empty()) what += fmt::format(" ({})", words.text);
  return {OutcomeKind::signaled, what};
}

// The runner's own exit codes are any plugin's to exit with: they mean something only together with the last
// words, and a failed setup only of a child that was never ready, or has a drill, whose verdict it is.
bool failed_setup(const ChildSpec& spec, int code, const EndFacts& facts) {
  if (facts.ready && spec.drill.empty()) return false;
  if (facts.words.kind == setup_failed) return true;
  // Until it has mapped the words the runner has nothing but the code; no plugin is loaded then.
  return code == exit_code_setup && (facts.phase == Phase::start || facts.phase == Phase::sandbox);
}

Outcome describe_exit(const ChildSpec& spec, int code, const EndFacts& facts) {
  if (failed_setup(spec, code, facts))
    return {OutcomeKind::setup, facts.words.text.empty() ? "it could not be set up" : facts.words.text};
  if (code == 0 && facts.phase == Phase::done) {
    if (facts.stop_asked || spec.kind == ChildKind::inspect) return {};
    return {OutcomeKind::exited, "it ended without having been asked to"};
  }
  return {OutcomeKind::exited, fmt::format("it exited with code {}; a plugin must return, never exit", code)};
}

// What the process itself shows, before what we knew of it.
Outcome describe_process(const ChildSpec& spec, const EndFacts& facts) {
  const int status = facts.process.wait_status;
  if (facts.process.lease_passed)
    return {OutcomeKind::external_kill, "its reaper killed it: the host's lease was over"};
  if (facts.process.reaper_lost) return {OutcomeKind::external_kill, "its reaper was killed from outside"};
  if (WIFEXITED(status)) {
    const bool violated = facts.words.kind == violation;
    return violated ? describe_violation(spec, facts.words) : describe_exit(spec, WEXITSTATUS(status), facts);
  }
  const int signal = WTERMSIG(status);
  if (signal == SIGSYS) return describe_violation(spec, facts.words);
  if (signal == SIGKILL)
    return {OutcomeKind::external_kill, "it was killed from outside (SIGKILL that is not ours)"};
  return describe_signal(signal, facts.words);
}

bool died_of_our_kill(const ProcessEnd& end) {
  if (!end.killed_by_us) return false;
  return end.reaper_lost || (WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGKILL);
}

Outcome find_cause(const ChildSpec& spec, const EndFacts& facts) {
  if (facts.breach && facts.breach_of_contract)
    return {OutcomeKind::protocol,
            fmt::format("{}: it breaks the contract of an event source; mend the plugin, then try "
                        "`cape plugin check {} --only E`",
                        *facts.breach, std::filesystem::path(spec.image->file).filename().string())};
  if (facts.breach)
    return {OutcomeKind::protocol,
            fmt::format("{}; its library overwrites the memory shared with the host", *facts.breach)};
  if (facts.process.out_of_memory)
    return {OutcomeKind::oom,
            "the kernel ended it, as the memory that limits.memory gives to all of its processes is used up"};
  if (facts.kill_why && died_of_our_kill(facts.process)) return *facts.kill_why;
  return describe_process(spec, facts);
}

std::string place_of(const EndFacts& facts) {
  if (!facts.running.empty()) return fmt::format("in {}", facts.running);
  return fmt::format("in phase {}", name_of(facts.phase));
}

}  // namespace

std::string name_signal(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::start:
      return "start";
    case Phase::sandbox:
      return "sandbox";
    case Phase::load:
      return "load";
    case Phase::init:
      return "init";
    case Phase::create:
      return "create";
    case Phase::idle:
      return "idle";
    case Phase::process:
      return "process";
    case Phase::flush:
      return "flush";
    case Phase::destroy:
      return "destroy";
    case Phase::deinit:
      return "deinit";
    case Phase::done:
      return "done";
  }
  return "unknown";
}

Phase read_phase(const ResponseHeader& header) {
  const std::uint32_t phase = header.phase.load(std::memory_order_acquire);
  return phase <= static_cast<std::uint32_t>(Phase::done) ? static_cast<Phase>(phase) : Phase::start;
}

LastWords read_last_words(const ResponseHeader& header) {
  LastWords words;
  words.kind = header.last_kind.load(std::memory_order_acquire);
  if (words.kind == none || words.kind > fatal_signal) return {};
  words.signal = header.last_signal;
  words.syscall = header.last_syscall;
  words.address = header.last_address;
  char text[sizeof header.last_text];
  std::memcpy(text, header.last_text, sizeof text);
  words.status = header.last_status;
  char check[sizeof header.last_check];
  std::memcpy(check, header.last_check, sizeof check);
  const bool is_id = (check[0] >= 'A' && check[0] <= 'Z') && (check[1] >= '0' && check[1] <= '9');
  if (is_id) words.check = printable({check, strnlen(check, sizeof check - 1)}, sizeof check);
  words.text = printable({text, strnlen(text, sizeof text)}, reason_bytes_max);
  return words;
}

std::string name_child(const ChildSpec& spec) {
  const char* role = spec.kind == ChildKind::source   ? "source"
                     : spec.kind == ChildKind::lambda ? "lambda"
                                                      : "plugin";
  const std::string file = std::filesystem::path(spec.image->file).filename().string();
  const std::string id = spec.image->id.empty() ? file : spec.image->id;
  return fmt::format("{} '{}' ({}, {})", role, id, file, spec.image->hash.substr(0, 8));
}

Outcome describe_end(const ChildSpec& spec, const EndFacts& facts) {
  Outcome cause = find_cause(spec, facts);
  if (cause.kind == OutcomeKind::ok) return cause;
  std::string what = cause.reason;
  // Whatever stops a child before it is ready is a start that failed: no event is to blame.
  const bool failed_start = !facts.ready && cause.kind != OutcomeKind::external_kill;
  if (failed_start && cause.kind != OutcomeKind::setup)
    what = fmt::format("{}: {}", name_of(cause.kind), what);
  if (failed_start) cause.kind = OutcomeKind::setup;
  std::string text =
      fmt::format("{}: {} {}: {}", name_child(spec), name_of(cause.kind), place_of(facts), what);
  if (!facts.stderr_tail.empty()) text += fmt::format("; its last line on stderr: {}", facts.stderr_tail);
  cause.reason = shortened(std::move(text), reason_bytes_max);  // every part of it is printable
  return cause;
}

OutcomeKind cause_of(const ChildSpec& spec, const EndFacts& facts) {
  const bool killed = !facts.breach && facts.kill_why && died_of_our_kill(facts.process);
  if (killed && !facts.ready) return OutcomeKind::hung;
  const OutcomeKind kind = find_cause(spec, facts).kind;
  const std::int32_t status = facts.words.status;
  if (kind != OutcomeKind::setup || facts.words.kind != setup_failed || status == 0) return kind;
  const bool refused = status == static_cast<std::int32_t>(OutcomeKind::bad_config);
  return refused ? OutcomeKind::bad_config : outcome_of_plugin_status(status);
}

std::string check_of(const ChildSpec& spec, const EndFacts& facts) {
  const OutcomeKind kind = cause_of(spec, facts);
  if (kind == OutcomeKind::ok || kind == OutcomeKind::external_kill) return {};
  if (kind == OutcomeKind::setup && !facts.words.check.empty()) return facts.words.check;
  switch (facts.phase) {
    case Phase::load:
    case Phase::init:
      return kind == OutcomeKind::violation ? "L2" : "L1";
    case Phase::destroy:
    case Phase::deinit:
    case Phase::done:
      return "L6";
    default:
      return {};
  }
}

}  // namespace cape::child
