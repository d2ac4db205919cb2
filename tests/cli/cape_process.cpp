#include "tests/cli/cape_process.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace cape::cli {
namespace {

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void redirect(const fs::path& file, int flags, int to) {
  const int fd = ::open(file.c_str(), flags | O_CREAT, 0600);
  if (fd < 0 || ::dup2(fd, to) < 0) ::_exit(126);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

const char* const small_config = R"(data_dir = "data"
payload_bytes_max = 1000

[domain.history]
source = "journal"

[domain.foreign]
source = "files"

[topology.audit]
domain = "history"

[topology.audit.lambda.write]
plugin = "audit_log"
)";

CapeProcess::CapeProcess() {
  std::string pattern = "/tmp/cape-cli-XXXXXX";
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
  directory_ = pattern;
  environment_ = {{"PATH", "/usr/bin:/bin"}};
}

CapeProcess::~CapeProcess() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

fs::path CapeProcess::write(const std::string& name, std::string_view text) const {
  const fs::path file = directory_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

Ran CapeProcess::run(const std::vector<std::string>& arguments, std::string_view input) const {
  const fs::path in = write(".stdin", input), out = write(".stdout", ""), err = write(".stderr", "");
  std::vector<std::string> line{"cape"}, environment;
  line.insert(line.end(), arguments.begin(), arguments.end());
  for (const auto& [name, value] : environment_) environment.push_back(name + "=" + value);
  const std::vector<char*> argv = pointers(line), envp = pointers(environment);

  const pid_t pid = ::fork();
  if (pid == 0) {
    redirect(in, O_RDONLY, STDIN_FILENO);
    redirect(out, O_WRONLY | O_TRUNC, STDOUT_FILENO);
    redirect(err, O_WRONLY | O_TRUNC, STDERR_FILENO);
    if (::chdir(directory_.c_str()) != 0) ::_exit(126);
    ::execve(CAPE_BINARY, argv.data(), envp.data());
    ::_exit(127);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid) throw std::runtime_error("cape was not run");
  const int exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {.exit = exit, .out = read_file(out), .err = read_file(err)};
}

std::vector<std::vector<std::string>> query(const fs::path& database, const std::string& sql) {
  std::vector<std::vector<std::string>> rows;
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_open_v2(database.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK) {
    while (sqlite3_step(statement) == SQLITE_ROW) {
      auto& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, i));
        row.emplace_back(text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      }
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return rows;
}

}  // namespace cape::cli
