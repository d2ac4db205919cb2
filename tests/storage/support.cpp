#include "tests/storage/support.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace cape::storage::test {

TempDir::TempDir() {
  std::string name = "/tmp/cape_storage_XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  ::chmod(name.c_str(), 0755);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

RawDb::RawDb(const fs::path& file, bool read_only) : db_(nullptr, sqlite3_close_v2) {
  sqlite3* db = nullptr;
  sqlite3_open_v2(file.c_str(), &db,
                  read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  db_.reset(db);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 10'000);
}

std::string RawDb::run(const std::string& sql) {
  char* message = nullptr;
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return {};
  const std::string text = message != nullptr ? message : "no message";
  sqlite3_free(message);
  return text;
}

std::vector<std::string> RawDb::rows(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return {fmt::format("error: {}", sqlite3_errmsg(db_.get()))};
  }
  std::vector<std::string> found;
  int code = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    std::string row;
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
      const unsigned char* text = sqlite3_column_text(statement, column);
      row += column == 0 ? "" : "|";
      row += text == nullptr ? "NULL" : reinterpret_cast<const char*>(text);
    }
    found.push_back(row);
  }
  if (code != SQLITE_DONE) found = {fmt::format("error: {}", sqlite3_errmsg(db_.get()))};
  sqlite3_finalize(statement);
  return found;
}

std::string RawDb::value(const std::string& sql) {
  const std::vector<std::string> found = rows(sql);
  return found.empty() ? "" : found.front();
}

int RawDb::last_code() const {
  return sqlite3_extended_errcode(db_.get());
}

std::vector<CommitDone> wait_for(CursorStore& store, Ticket last) {
  std::vector<CommitDone> all;
  while (all.empty() || all.back().ticket < last) {
    pollfd waiting{.fd = store.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 20'000) != 1) {
      ADD_FAILURE() << "no commit was reported within 20 s";
      return all;
    }
    for (CommitDone& done : store.poll()) all.push_back(std::move(done));
  }
  return all;
}

Result<void> commit(CursorStore& store, WriteBatch batch) {
  const Ticket ticket = store.submit(std::move(batch));
  std::vector<CommitDone> done = wait_for(store, ticket);
  if (done.empty()) return fail(ErrorCode::io, "not reported");
  return done.back().result;
}

CursorInfo info(Sequence latest, Sequence cursor) {
  return {.latest = latest, .topologies = {{"audit", {{.lambda = "write", .cursor = cursor, .reason = {}}}}}};
}

CursorWrite write_of(SubjectId id, const std::string& subject, Sequence latest, Sequence cursor,
                     const std::string& domain) {
  return {.id = id,
          .domain = domain,
          .subject = subject,
          .behind = cursor < latest,
          .info = info(latest, cursor)};
}

pid_t start_process(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(body());
}

int run_in_process(const std::function<int()>& body, uid_t uid) {
  const pid_t pid = start_process([&] {
    if (uid != 0 && (::setgid(uid) != 0 || ::setuid(uid) != 0)) return 99;
    return body();
  });
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool can_be_another_user() {
  return run_in_process([] { return 0; }, 65534) == 0;
}

Nursery::Nursery(std::vector<std::function<int()>> bodies) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  pid_ = start_process([&] {
    ::close(ends[0]);
    std::size_t body = 0;
    while (::read(ends[1], &body, sizeof body) == sizeof body) {
      const pid_t child = start_process(bodies[body]);
      int status = 0;
      if (::write(ends[1], &child, sizeof child) < 0 || ::waitpid(child, &status, 0) != child) return 1;
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      if (::write(ends[1], &code, sizeof code) < 0) return 1;
    }
    return 0;
  });
  ::close(ends[1]);
  socket_ = ends[0];
}

Nursery::~Nursery() {
  ::close(socket_);
  ::waitpid(pid_, nullptr, 0);
}

pid_t Nursery::start(std::size_t body) {
  pid_t child = -1;
  if (::write(socket_, &body, sizeof body) < 0 || ::read(socket_, &child, sizeof child) < 0) std::abort();
  return child;
}

int Nursery::wait() {
  int code = -1;
  if (::read(socket_, &code, sizeof code) < 0) std::abort();
  return code;
}

std::string mode_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "missing";
  return fmt::format("{:04o}", status.st_mode & 07777);
}

bool is_readable(int fd) {
  pollfd look{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&look, 1, 0) == 1;
}

}  // namespace cape::storage::test
