// plugins/shared/sqlite_file.hpp
// A SQLite database that a plugin keeps in its state directory, or reads where somebody else keeps it:
// connection, statements, transactions. Trouble leaves as Trouble, a cape::Failure with RETRY that names the
// file, what SQLite says and the next step.
// Thread: one at a time per Connection and its statements. Statements must not outlive their Connection.
#pragma once

#include <cape/outcome.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace sqlite_file {

class Trouble : public cape::Failure {
 public:
  Trouble(const std::string& path, const std::string& what, int code);
};

enum class Access : std::uint8_t {
  write,  // creates the file if need be; write-ahead log, every commit synced
  read,   // nothing is written, not even -shm: some writing connection keeps that in being
};

class Connection {
 public:
  explicit Connection(std::string path, Access access = Access::write);

  void run(const char* sql) const;              // one statement or more
  std::int64_t integer(const char* sql) const;  // first column of the first row; 0 without a row
  std::int64_t changes() const;                 // rows that the last statement changed
  bool in_transaction() const;
  void roll_back() noexcept;  // if a transaction is open

  [[noreturn]] void fail() const;
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// One prepared statement. Bound text is borrowed until the reset.
class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind_text(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);
  bool step();  // false: no more rows
  void run();   // to its end, and resets
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

// Resets `statement` on every way out.
class Reading {
 public:
  explicit Reading(Statement& statement) : statement_(statement) {}
  ~Reading() { statement_.reset(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  Statement& statement_;
};

}  // namespace sqlite_file
