#include "tests/child/process/stage.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/clock.hpp"
#include "host/child/sandbox/shared_memory.hpp"
#include "tests/child/either_way.hpp"

namespace cape::child {
namespace {

constexpr std::int64_t patience_ns = 10 * ns_per_s;

bool wait_for(ChildProcess& child, std::int64_t until_ns) {
  const std::int64_t left_ms = (until_ns - boot_ns()) / ns_per_ms;
  pollfd ready = {child.fd(), POLLIN, 0};
  return left_ms > 0 && ::poll(&ready, 1, static_cast<int>(left_ms)) > 0;
}

void note(const ChildProcess::Events& events, Seen& seen) {
  for (const std::string& line : events.stderr_lines) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) seen.said[line.substr(0, equals)] = line.substr(equals + 1);
  }
  seen.lines += events.stderr_lines.size();
  seen.dropped += events.stderr_dropped;
}

Seen watch_if_started(const Result<std::unique_ptr<ChildProcess>>& child) {
  if (child) return watch(**child);
  ADD_FAILURE() << child.error().message;
  return {};
}

Seen perform_on(const ChildSpec& spec, const MachineFacts& facts) {
  return watch_if_started(start_process(spec, facts, static_cast<std::uint8_t>(spec.kind)));
}

}  // namespace

TempDir::TempDir() {
  char name[] = "/tmp/cape-child-XXXXXX";
  path_ = mkdtemp(name);
}
TempDir::~TempDir() { fs::remove_all(path_); }

LifePipe::LifePipe() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  read_ = UniqueFd(ends[0]);
  write_ = UniqueFd(ends[1]);
}

bool LifePipe::over_within(int ms) const {
  pollfd ready = {read_.get(), POLLIN, 0};
  return ::poll(&ready, 1, ms) > 0 && (ready.revents & POLLHUP) != 0;
}

PluginImagePtr small_image() {
  auto image = std::make_shared<PluginImage>();
  image->memfd = std::move(*sealed_memfd("test-plugin", "not a library"));
  image->file = "test.so";
  image->id = "test";
  return image;
}

ChildSpec spec_of(const std::string& act) {
  ChildSpec spec;
  spec.kind = ChildKind::lambda;
  spec.image = small_image();
  spec.domain = "files";
  spec.topology = "audit";
  spec.lambda = "write";
  spec.config_json = act;
  spec.config_dir = "/etc/cape";
  return spec;
}

Seen watch(ChildProcess& child) {
  Seen seen;
  const std::int64_t until_ns = boot_ns() + patience_ns;
  while (!child.end() && wait_for(child, until_ns)) note(child.poll(), seen);
  if (!child.end()) {
    ADD_FAILURE() << "the child did not end within 10 s";
    return seen;
  }
  const ResponseHeader& words = child.response();
  seen.end = *child.end();
  seen.phase = static_cast<Phase>(words.phase.load());
  seen.last_kind = words.last_kind.load();
  seen.last_syscall = words.last_syscall;
  seen.last_signal = words.last_signal;
  seen.last_address = words.last_address;
  seen.last_text = words.last_text;
  return seen;
}

bool wait_for_doorbell(ChildProcess& child) {
  const std::int64_t until_ns = boot_ns() + patience_ns;
  while (!child.end() && wait_for(child, until_ns))
    if (child.poll().doorbell) return true;
  return false;
}

Seen perform(const ChildSpec& spec) {
  return watch_if_started(start_either_way([&](Spare* spare) { return ChildProcess::start(spec, spare); }));
}
Seen perform(const std::string& act) { return perform(spec_of(act)); }

Seen perform_without_namespaces(const ChildSpec& spec) {
  MachineFacts facts = machine_facts().value();
  facts.namespaces = false;
  return perform_on(spec, facts);
}

Seen perform_without_groups(const ChildSpec& spec) {
  MachineFacts facts = machine_facts().value();
  facts.cgroups = {};
  facts.cgroups.missing = "nobody lends one";
  return perform_on(spec, facts);
}

std::string status_of(int pid, const std::string& field) {
  std::ifstream lines("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(field + ":")) return line.substr(std::min(line.find_first_not_of(" \t", field.size() + 1), line.size()));
  return "no such process";
}

int only_child_of(int pid) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int other = std::atoi(entry.path().filename().c_str());
    if (other > 0 && status_of(other, "PPid") == std::to_string(pid)) return other;
  }
  return 0;
}

void expect_violation(const Seen& seen, const std::string& call) {
  EXPECT_EQ(seen.last_kind, 2u) << call;
  EXPECT_EQ(seen.last_text.substr(0, call.size() + 1), call + "(");
  ASSERT_TRUE(WIFEXITED(seen.end.wait_status)) << call << ": status " << seen.end.wait_status;
  EXPECT_EQ(WEXITSTATUS(seen.end.wait_status), exit_code_violation);
}

}  // namespace cape::child
