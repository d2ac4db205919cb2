#include "tests/system/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/system/site.hpp"

extern char** environ;

namespace cape::test {

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

pid_t start_process(const fs::path& program, const std::vector<std::string>& args, const Files& files,
                    const fs::path& dir) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, dir.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, files.in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, files.out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addopen(&actions, 2, files.err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + program.string());
  return pid;
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Daemon::Daemon(fs::path dir, std::string name)
    : dir_(std::move(dir)), out_(dir_ / "io" / (name + ".out")), err_(dir_ / "io" / (name + ".err")) {}

Daemon::~Daemon() {
  if (pid_ > 0) end(SIGKILL);
}

void Daemon::start(const std::vector<std::string>& args) {
  fs::remove(out_);
  pid_ = start_process(build_bin("cape"), args, {"/dev/null", out_, err_}, dir_);
}

bool Daemon::start_ready(const std::vector<std::string>& args) {
  start(args);
  Site::eventually([&] { return is_ready() || wait(std::chrono::milliseconds(0)) >= 0; },
                   std::chrono::seconds(30));
  return is_ready();
}

bool Daemon::is_ready() const {
  return read_text(out_).find("ready\n") != std::string::npos;
}

void Daemon::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

int Daemon::end(int number) {
  if (pid_ <= 0) return -1;
  ::kill(pid_, number);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return exit_code(status);
}

int Daemon::wait(std::chrono::milliseconds most) {
  int code = -1;
  Site::eventually(
      [&] {
        int status = 0;
        if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return false;
        pid_ = -1;
        code = exit_code(status);
        return true;
      },
      most);
  return code;
}

std::string Daemon::log() const {
  return read_text(err_);
}

bool runs(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t behind_name = stat.rfind(')');
  return behind_name != std::string::npos && behind_name + 2 < stat.size() && stat[behind_name + 2] != 'Z' &&
         stat[behind_name + 2] != 'X';
}

}  // namespace cape::test
