// tests/plugins/journal_file.hpp
// A journal as a program with plain SQL sees it: made from the schema, kept open by a writing connection.
#pragma once

#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "storage/journal/schema.hpp"

namespace cape::test {

class JournalFile {
 public:
  explicit JournalFile(const std::filesystem::path& dir) {
    const std::string path = (dir / storage::journal_file_name).string();
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    run(storage::journal_schema_version_1);
  }
  ~JournalFile() { sqlite3_close(handle_); }
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  void run(const std::string& sql) {
    char* message = nullptr;
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return;
    const std::string why = message == nullptr ? "?" : message;
    sqlite3_free(message);
    throw std::runtime_error(sql + ": " + why);
  }
  void add(const std::string& subject, std::int64_t sequence, const std::string& payload = "x") {
    run("INSERT INTO events VALUES ('" + subject + "', " + std::to_string(sequence) + ", " +
        std::to_string(sequence * 1'000) + ", 'set', '" + payload + "')");
  }

 private:
  sqlite3* handle_ = nullptr;
};

// Another process that holds the whole database locked. A process of its own, because POSIX locks do not
// hold against the process that took them. Nothing here may have the file open when it starts.
class LockedElsewhere {
 public:
  explicit LockedElsewhere(const std::filesystem::path& dir) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0)
      throw std::runtime_error("no socketpair");
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("no process");
    if (child_ == 0) hold_lock(dir, ends_[1]);
    ::close(ends_[1]);
    char locked = 0;
    if (::read(ends_[0], &locked, 1) != 1) throw std::runtime_error("the file could not be locked");
  }
  ~LockedElsewhere() {
    ::close(ends_[0]);  // which ends it
    ::waitpid(child_, nullptr, 0);
  }
  LockedElsewhere(const LockedElsewhere&) = delete;
  LockedElsewhere& operator=(const LockedElsewhere&) = delete;

 private:
  [[noreturn]] void hold_lock(const std::filesystem::path& dir, int end) {
    ::close(ends_[0]);
    sqlite3* handle = nullptr;
    sqlite3_open((dir / storage::journal_file_name).c_str(), &handle);
    const char* lock = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; SELECT count(*) FROM subject";
    if (sqlite3_exec(handle, lock, nullptr, nullptr, nullptr) != SQLITE_OK) ::_exit(1);
    char released = 0;
    if (::write(end, "l", 1) == 1) (void)!::read(end, &released, 1);
    ::_exit(0);
  }

  int ends_[2] = {-1, -1};
  pid_t child_ = -1;
};

}  // namespace cape::test
