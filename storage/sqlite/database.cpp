#include "storage/sqlite/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <thread>

#include "core/clock.hpp"

namespace cape::sqlite {
namespace {

const char* next_step(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "make room on its file system";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged: restore it from a backup, or move it away";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program keeps it locked: end that program's transaction";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "let this user read and write the file and its directory";
    case SQLITE_IOERR:
      return "check its file system and the kernel's log";
    default:
      return nullptr;
  }
}

ErrorCode error_code(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::unavailable;
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_TRIGGER ? ErrorCode::invalid : ErrorCode::conflict;
    case SQLITE_TOOBIG:
      return ErrorCode::limit;
    default:
      return ErrorCode::io;
  }
}

// A write cut short by a limit or a full disk comes as an I/O error without SQLITE_FULL on some file systems.
bool is_out_of_room(int saved_errno) {
  return saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EFBIG;
}

sqlite3_file* log_of(sqlite3* db) {
  sqlite3_file* log = nullptr;
  const int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  return code == SQLITE_OK && log != nullptr && log->pMethods != nullptr ? log : nullptr;
}

// 0: none. A COMMIT that could not write keeps the reason with the log, not with the connection.
int errno_behind(sqlite3* db, int code) {
  const int family = code & 0xff;
  if (family != SQLITE_IOERR && family != SQLITE_CANTOPEN && family != SQLITE_FULL) return 0;
  int saved_errno = 0;
  if (sqlite3_file* log = code == SQLITE_IOERR_WRITE ? log_of(db) : nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &saved_errno);
  }
  return saved_errno != 0 ? saved_errno : sqlite3_system_errno(db);
}

std::unexpected<Error> failure(sqlite3* db, int code, std::string_view doing, std::string_view file) {
  std::string message = fmt::format("{} {}: {}", doing, file, sqlite3_errmsg(db));
  const int saved_errno = errno_behind(db, code);
  if (saved_errno != 0) message += fmt::format(" ({})", std::strerror(saved_errno));
  const char* next = next_step(is_out_of_room(saved_errno) ? SQLITE_FULL : code);
  if (next != nullptr) message += fmt::format("; {}", next);
  return fail(error_code(code), std::move(message));
}

std::unexpected<Error> failure(sqlite3* db, int code, std::string_view doing) {
  const char* file = sqlite3_db_filename(db, "main");
  return failure(db, code, doing, file != nullptr ? file : "the database");
}

int open_flags(Access access) {
  // One thread at a time uses a connection, so SQLite's own mutexes would be pure cost.
  const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::read) return common | SQLITE_OPEN_READONLY;
  if (access == Access::write) return common | SQLITE_OPEN_READWRITE;
  return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::bind(int parameter, std::int64_t value) {
  CAPE_CHECK(sqlite3_bind_int64(statement_.get(), parameter, value) == SQLITE_OK);
}

void Statement::bind_text(int parameter, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* bytes = text.empty() ? "" : text.data();
  CAPE_CHECK(sqlite3_bind_text64(statement_.get(), parameter, bytes, text.size(), SQLITE_STATIC,
                                 SQLITE_UTF8) == SQLITE_OK);
}

void Statement::bind_blob(int parameter, std::string_view bytes) {
  const char* begin = bytes.empty() ? "" : bytes.data();
  CAPE_CHECK(sqlite3_bind_blob64(statement_.get(), parameter, begin, bytes.size(), SQLITE_STATIC) ==
             SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  const char* sql = sqlite3_sql(statement_.get());
  const std::string_view verb = std::string_view(sql).substr(0, std::string_view(sql).find(' '));
  sqlite3* db = sqlite3_db_handle(statement_.get());
  const char* doing = verb == "SELECT" ? "cannot read" : verb == "PRAGMA" ? "cannot use" : "cannot write";
  std::unexpected<Error> error = failure(db, code, doing);
  sqlite3_reset(statement_.get());
  return error;
}

Result<std::int64_t> Statement::run() {
  Result<bool> row = true;
  while (row && *row) row = step();
  if (!row) return std::unexpected(std::move(row.error()));
  return sqlite3_changes64(sqlite3_db_handle(statement_.get()));
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Close::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

Result<Database> Database::open(const fs::path& file, Access access, std::int32_t busy_ms) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &raw, open_flags(access), nullptr);
  Database db(raw);
  if (raw == nullptr) return fail(ErrorCode::io, fmt::format("cannot open {}: no memory", file.string()));
  if (code != SQLITE_OK) return failure(raw, code, "cannot open", file.native());
  sqlite3_busy_timeout(raw, busy_ms);
  return db;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return failure(db_.get(), code, "cannot use");
  return Statement(raw);
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(db_.get(), code, "cannot use");
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  Result<bool> row = statement->step();
  if (!row) return std::unexpected(std::move(row.error()));
  return *row ? statement->integer(0) : 0;
}

Result<void> Database::use_wal() {
  // Changing the mode wants the file for itself and does not wait for it, so two programs that create the
  // same database at once meet here.
  const std::int64_t give_up_ns = boot_ns() + 2 * ns_per_s;
  while (true) {
    Result<Statement> statement = prepare("PRAGMA journal_mode = WAL");
    if (!statement) return std::unexpected(std::move(statement.error()));
    Result<bool> row = statement->step();
    if (row && *row && statement->text(0) == "wal") return {};
    if (row)
      return fail(ErrorCode::io,
                  "a write-ahead log is not possible on this file system: choose another data_dir");
    if (row.error().code != ErrorCode::unavailable || boot_ns() > give_up_ns)
      return std::unexpected(row.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Result<void> Database::set_synchronous(Synchronous how) {
  return execute(how == Synchronous::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

Result<void> Database::sync_wal() {
  sqlite3_file* log = log_of(db_.get());
  if (log == nullptr) return {};  // nothing was ever written to it
  const int code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code == SQLITE_OK) return {};
  return fail(ErrorCode::io, fmt::format("cannot sync {}-wal: {}; {}", sqlite3_db_filename(db_.get(), "main"),
                                         sqlite3_errstr(code), next_step(SQLITE_IOERR)));
}

bool Database::sync_failed() const {
  const int code = sqlite3_extended_errcode(db_.get());
  return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

std::int64_t Database::changes_in_all() const {
  return sqlite3_total_changes64(db_.get());
}

void Database::roll_back() {
  // After some errors SQLite has rolled back by itself.
  if (sqlite3_get_autocommit(db_.get()) == 0) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<Transaction> Transaction::begin(Database& db) {
  if (Result<void> begun = db.execute("BEGIN IMMEDIATE"); !begun)
    return std::unexpected(std::move(begun.error()));
  return Transaction(db);
}

Transaction::~Transaction() {
  if (db_ != nullptr) db_->roll_back();
}

Result<void> Transaction::commit() {
  Result<void> committed = db_->execute("COMMIT");
  if (committed) db_ = nullptr;
  return committed;
}

}  // namespace cape::sqlite
