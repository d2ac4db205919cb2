// tests/storage/support.hpp
// What the storage tests share: temporary directories, a second plain SQLite connection as any program has
// it, waiting for commits, and running a piece of a test in a process of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/cursor_store.hpp"

struct sqlite3;

namespace cape::storage::test {

class TempDir {
 public:
  TempDir();  // below /tmp, 0755
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class RawDb {
 public:
  explicit RawDb(const fs::path& file, bool read_only = false);
  // Empty: done. Else SQLite's message.
  std::string run(const std::string& sql);
  // Rows as "a|b|c", NULL as "NULL"; {"error: ..."} if it fails.
  std::vector<std::string> rows(const std::string& sql);
  std::string value(const std::string& sql);  // first row; "" without one
  int last_code() const;                      // extended result code of the last call

 private:
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_;
};

// Waits for fd() and polls until every ticket up to `last` is done. Gives what was done, in order.
std::vector<CommitDone> wait_for(CursorStore& store, Ticket last);
Result<void> commit(CursorStore& store, WriteBatch batch);

CursorInfo info(Sequence latest, Sequence cursor);
CursorWrite write_of(SubjectId id, const std::string& subject, Sequence latest, Sequence cursor,
                     const std::string& domain = "history");

// Runs `body` in a forked process, which tells by its exit code how it went (0: well). As another user: uid
// != 0.
int run_in_process(const std::function<int()>& body, uid_t uid = 0);
// We are root, and not of a user namespace that knows nobody else.
bool can_be_another_user();
pid_t start_process(const std::function<int()>& body);

// Processes that share nothing with SQLite's memory of this one, which a fork taken beside an open connection
// would: it is forked before any is opened, and forks from there. One body at a time.
class Nursery {
 public:
  explicit Nursery(std::vector<std::function<int()>> bodies);
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  pid_t start(std::size_t body);
  int wait();  // exit code, or minus the signal
  int run(std::size_t body) {
    start(body);
    return wait();
  }

 private:
  pid_t pid_ = 0;
  int socket_ = -1;
};

std::string mode_of(const fs::path& path);  // "0600"
bool is_readable(int fd);

}  // namespace cape::storage::test
