#include "sqlite_file.hpp"

#include <sqlite3.h>

#include <utility>

namespace sqlite_file {
namespace {

constexpr int busy_ms = 5'000;

const char* next_step(int code) {
  switch (code) {
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTLOCK:
    case SQLITE_READONLY_CANTINIT:
      return "a writer of it was killed, or none holds it open; its owner repairs it, then it is tried again";
    default:
      break;
  }
  switch (code & 0xff) {  // the primary code
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return "another process has it locked; it is tried again";
    case SQLITE_CANTOPEN:
      return "check that the file exists and may be opened (the broker and `cape append` make journals); it "
             "is tried again";
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return "free space on its disk, or raise limits.file_size; it is tried again";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged; with cape stopped, restore it from a backup or with the sqlite3 command "
             ".recover";
    default:
      return "it is tried again";
  }
}

std::string describe(const std::string& path, const std::string& what, int code) {
  return path + ": " + what + " (SQLite " + std::to_string(code) + "); " + next_step(code);
}

}  // namespace

Trouble::Trouble(const std::string& path, const std::string& what, int code)
    : cape::Failure(cape::Outcome::retry(describe(path, what, code)).with_code(code)) {}

void Connection::Close::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

Connection::Connection(std::string path, Access access) : path_(std::move(path)) {
  sqlite3* opened = nullptr;
  const int flags =
      access == Access::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path_.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(opened);
  if (code != SQLITE_OK) throw Trouble(path_, opened ? sqlite3_errmsg(opened) : sqlite3_errstr(code), code);
  sqlite3_extended_result_codes(opened, 1);
  // The sandbox has no place for temporary files. Mapped pages of a file that is cut under us would be a
  // SIGBUS.
  run("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0");
  if (access == Access::read) {
    // Pages come from the kernel's cache: over 25 MB of events a cache of 8 MiB here took as much CPU as one
    // of 2.
    run("PRAGMA cache_size = -2048; PRAGMA query_only = 1");
    return;
  }
  sqlite3_busy_timeout(opened, busy_ms);
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
}

void Connection::run(const char* sql) const {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

std::int64_t Connection::integer(const char* sql) const {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(handle());
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

void Connection::roll_back() noexcept {
  // After most errors SQLite has done so itself; the first cause is already on its way to a person.
  if (in_transaction()) (void)sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Connection::fail() const {
  throw Trouble(path_, sqlite3_errmsg(handle()), sqlite3_extended_errcode(handle()));
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

// A null pointer would bind NULL, which compares to nothing.
Statement& Statement::bind_text(int parameter, std::string_view text) {
  const char* chars = text.empty() ? "" : text.data();
  if (sqlite3_bind_text64(handle_.get(), parameter, chars, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK)
    connection_.fail();
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  const char* start = bytes.empty() ? "" : bytes.data();
  if (sqlite3_bind_blob64(handle_.get(), parameter, start, bytes.size(), SQLITE_STATIC) != SQLITE_OK)
    connection_.fail();
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_.fail();
  return false;
}

void Statement::run() {
  const Reading reading(*this);
  while (step()) {
  }
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

}  // namespace sqlite_file
