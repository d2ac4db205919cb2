// plugins/journal/sqlite.hpp
// A read-only SQLite connection and its statements, as far as the journal needs them. Trouble leaves as
// cape::Failure with RETRY: everything that can go wrong with the file is put right outside, by the broker
// that holds it open or by an operator. Thread: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace journal {

class Connection {
 public:
  // Opens an existing database. Nothing is written, not even -shm: some writing connection keeps it in being.
  explicit Connection(std::string path);

  [[noreturn]] void fail() const;  // with the last error of this connection
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  void run(const char* sql) const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// One prepared statement. Bound text is borrowed until the run ends.
class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  bool step();  // false: no more rows
  void reset() noexcept;

  std::int64_t integer(int column) const;
  std::string_view bytes(int column) const;  // until the next step or reset

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  const Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Ends a run of `statement` on every way out, so that no read lock outlives the call.
class Run {
 public:
  explicit Run(Statement& statement) : statement_(statement) {}
  ~Run() { statement_.reset(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

 private:
  Statement& statement_;
};

}  // namespace journal
