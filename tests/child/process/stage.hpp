// A stage for acts_runner.cpp: starts a child with one act and watches it to its end.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "host/child/process.hpp"
#include "host/child/sandbox/start.hpp"

namespace cape::child {

// A directory below /tmp, gone at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Readable at its end once nobody holds the writing end, as life_fd of a child, any more.
class LifePipe {
 public:
  LifePipe();
  int held() const { return write_.get(); }
  void let_go() { write_.reset(); }
  bool over_within(int ms) const;

 private:
  UniqueFd read_, write_;
};

struct Seen {
  ProcessEnd end;
  Phase phase = Phase::start;
  std::uint32_t last_kind = 0;
  std::int32_t last_syscall = 0, last_signal = 0;
  std::uint64_t last_address = 0;
  std::string last_text;
  std::map<std::string, std::string> said;  // "key=value" lines
  std::uint64_t lines = 0, dropped = 0;
};

PluginImagePtr small_image();
ChildSpec spec_of(const std::string& act);

// Waits until `child` is over, 10 s at most.
Seen watch(ChildProcess& child);
// Waits for the child's first doorbell; false if it ends before.
bool wait_for_doorbell(ChildProcess& child);

Seen perform(const ChildSpec& spec);
Seen perform(const std::string& act);
// As on a machine without user namespaces, or one that lends no control group.
Seen perform_without_namespaces(const ChildSpec& spec);
Seen perform_without_groups(const ChildSpec& spec);

// A field of /proc/PID/status; "no such process" if there is none.
std::string status_of(int pid, const std::string& field);
// The process whose parent `pid` is; 0 if none.
int only_child_of(int pid);

void expect_violation(const Seen& seen, const std::string& call);

// Skips the calling test, with the reason, where the machine lends no control group.
#define CAPE_NEEDS_GROUPS()                                      \
  if (::cape::child::machine_facts().value().cgroups.version == 0) \
  GTEST_SKIP() << ::cape::child::machine_facts().value().cgroups.missing

}  // namespace cape::child
