// tests/storage/failing_vfs.hpp
// FailingVfs stands between SQLite and the disk while it lives: it counts syncs of write-ahead logs and fails
// writes or syncs of them when told to. One at a time; connections opened before it are not affected.
#pragma once

#include <atomic>

namespace cape::storage::test {

class FailingVfs {
 public:
  FailingVfs();
  ~FailingVfs();
  FailingVfs(const FailingVfs&) = delete;
  FailingVfs& operator=(const FailingVfs&) = delete;

  static std::atomic<int> log_syncs;
  static std::atomic<bool> fail_log_syncs;
  static std::atomic<bool> fail_log_writes;  // as a full disk does
};

}  // namespace cape::storage::test
