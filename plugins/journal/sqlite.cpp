#include "sqlite.hpp"

#include <sqlite3.h>

#include <cape/outcome.hpp>
#include <utility>

namespace journal {
namespace {

const char* next_step(int code) {
  switch (code) {
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTLOCK:
    case SQLITE_READONLY_CANTINIT:
      return "a writer of it was killed, or none holds it open; the broker repairs it within a second";
    default:
      break;
  }
  switch (code & 0xff) {  // the primary code
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return "another process has it locked; it is tried again";
    case SQLITE_CANTOPEN:
      return "the broker and `cape append` create it; check that the file exists and may be read";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged; restore it from a backup or with the sqlite3 command .recover";
    default:
      return "it is tried again";
  }
}

[[noreturn]] void fail_with(const std::string& path, sqlite3* handle, int code) {
  const char* message = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  throw cape::Failure(cape::Outcome::retry("journal " + path + " cannot be read: " + message + " (SQLite " +
                                           std::to_string(code) + "); " + next_step(code))
                          .with_code(code));
}

}  // namespace

void Connection::Close::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

Connection::Connection(std::string path) : path_(std::move(path)) {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(opened);
  if (code != SQLITE_OK) fail_with(path_, opened, code);
  sqlite3_extended_result_codes(opened, 1);
  // The sandbox has no place for temporary files. Mapped pages of a file that is cut under us would be a
  // SIGBUS. Pages come from the kernel's cache: over 25 MB of events a cache of 8 MiB here took as much CPU
  // as one of 2.
  run("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -2048; PRAGMA query_only = 1");
}

void Connection::run(const char* sql) const {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

void Connection::fail() const {
  fail_with(path_, handle(), sqlite3_extended_errcode(handle()));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(const Connection& connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) connection.fail();
  handle_.reset(prepared);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  if (sqlite3_bind_int64(handle_.get(), parameter, value) != SQLITE_OK) connection_.fail();
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL, which compares to nothing.
  const char* chars = text.empty() ? "" : text.data();
  const int code =
      sqlite3_bind_text64(handle_.get(), parameter, chars, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) connection_.fail();
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_.fail();
  return false;
}

void Statement::reset() noexcept {
  // Its result repeats the error that step() has already reported.
  (void)sqlite3_reset(handle_.get());
  (void)sqlite3_clear_bindings(handle_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const auto* start = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return {start, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

}  // namespace journal
