// storage/sqlite/database.hpp
// Database and Statement: SQLite as values and Results. Every error names the file, what was being done, what
// SQLite and the system say, and the next step. It knows no table of ours.
// Thread: one at a time per Database and its statements. Statements must not outlive their Database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace cape::sqlite {

namespace fs = std::filesystem;

class Statement {
public:
  Statement() = default;

  // Parameters count from 1. Text and blobs are borrowed until the next reset().
  void bind(int parameter, std::int64_t value);
  void bind_text(int parameter, std::string_view text);
  void bind_text(int parameter, std::string&& gone) = delete;
  void bind_blob(int parameter, std::string_view bytes);

  // True: a row is there. False: the end; the statement has been reset.
  Result<bool> step();
  // Steps to the end and resets. Gives how many rows it changed.
  Result<std::int64_t> run();
  void reset();

  // Columns count from 0. Text and blobs live until the next step or reset.
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;

private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// An unfinished read holds its snapshot and keeps the write-ahead log from being reused: end it on every way
// out.
struct ResetAtEnd {
  Statement& statement;
  ~ResetAtEnd() { statement.reset(); }
};

enum class Access : std::uint8_t { create, write, read };
enum class Synchronous : std::uint8_t { normal, full };

class Database {
public:
  // `busy_ms`: how long a call waits for another connection's lock before it gives Error::unavailable.
  static Result<Database> open(const fs::path& file, Access access, std::int32_t busy_ms);

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const char* sql);               // one statement or more; rows are dropped
  Result<std::int64_t> integer(std::string_view sql);  // first column of the first row; 0 without a row

  Result<void> use_wal();  // switches the file to a write-ahead log; stays so
  // How COMMIT treats the log: full: written to disk before it returns; normal: sync_wal() does it later.
  Result<void> set_synchronous(Synchronous how);
  Result<void> sync_wal();
  // True if the error just returned was a failed sync: what was committed before may be lost too.
  bool sync_failed() const;

  std::int64_t changes_in_all() const;  // rows changed since open
  void roll_back();                     // whatever transaction is still open

private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit Database(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

// Rolls back unless commit() succeeded.
class Transaction {
public:
  static Result<Transaction> begin(Database& db);  // takes the write lock at once
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  ~Transaction();
  Result<void> commit();

private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace cape::sqlite
