// tests/system/process.hpp
// Processes of the built binaries: to their end, or as Daemons that serve until they are ended by pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace cape::test {

namespace fs = std::filesystem;

struct Files {  // of a process to start
  fs::path in, out, err;
};
pid_t start_process(const fs::path& program, const std::vector<std::string>& args, const Files& files,
                    const fs::path& dir);
int exit_code(int status);  // of waitpid; 128 + signal if it was killed
std::string read_text(const fs::path& file);

// `cape ARGS...` in a directory. Killed, if it still runs, when the value goes.
class Daemon {
 public:
  // `name`: of its log in DIR/io.
  Daemon(fs::path dir, std::string name);
  ~Daemon();
  Daemon(Daemon&&) = delete;

  void start(const std::vector<std::string>& args);
  bool start_ready(const std::vector<std::string>& args);  // and waits for its `ready`
  bool is_ready() const;                                   // since the last start
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  int end(int number);                       // signals, waits, and returns its exit code
  int wait(std::chrono::milliseconds most);  // its exit code; -1: it still runs
  std::string log() const;

 private:
  fs::path dir_, out_, err_;
  pid_t pid_ = -1;
};

// Is it there and no zombie?
bool runs(pid_t pid);

}  // namespace cape::test
