// tests/system/site.hpp
// Site is a place to run the built `cape` in: a directory of its own with a config, plugins and data, and the
// processes it started. Everything it started is ended, by pid, when it goes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cape::test {

namespace fs = std::filesystem;

struct Finished {
  int exit = -1;  // exit code; 128 + signal if it was killed
  std::string out, err;
};

// How `up` runs: as one process, or as `cape broker` and `cape host` with the same config.
enum class Arrangement { together, apart };
// How gtest names them.
inline std::string name_of(Arrangement arrangement) {
  return arrangement == Arrangement::together ? "Together" : "Apart";
}

class Daemon;

class Site {
 public:
  explicit Site(Arrangement arrangement = Arrangement::together);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  const fs::path& dir() const { return dir_; }
  fs::path data() const { return dir_ / "data"; }
  // Writes cape.toml: the common head (data_dir, plugins) and `rest` behind it.
  void configure(const std::string& rest);
  // Puts a plugin of the zoo into the plugin directory.
  void add_plugin(const std::string& name);

  // From now on `cape` runs as on a kernel that refuses `what`; see poorer_kernel.c.
  void on_kernel_without(const std::string& what) { refused_ = what; }

  // Runs `cape ARGS...` to its end with `input` on stdin.
  Finished cape(const std::vector<std::string>& args, const std::string& input = "") const;

  // Starts `cape up ARGS...` and waits for its `ready`. false: it ended first; up_log() says why. Apart: the
  // arguments are the broker's.
  bool up(const std::vector<std::string>& args = {});
  pid_t up_pid() const { return up_pid_; }  // apart: the broker's
  void kill_up(int signal);                 // and waits for its end
  int wait_up(std::chrono::seconds limit);  // its exit code; -1: it still runs
  std::string up_log() const;

  // Processes with `pid` as an ancestor, by pid.
  static std::vector<pid_t> descendants(pid_t pid);
  // Everything that runs with a descriptor of this site's life lock: what an ended `up` left behind.
  std::vector<pid_t> left_processes() const;

  // Looks every few ms until `what` holds; false: not within `limit`. For states of another process alone.
  static bool eventually(const std::function<bool()>& what, std::chrono::milliseconds limit);

 private:
  fs::path program() const;
  std::vector<std::string> arguments(std::vector<std::string> words) const;  // of program()

  fs::path dir_;
  std::string refused_;  // by the kernel; empty: nothing
  pid_t up_pid_ = -1;
  std::unique_ptr<Daemon> host_;  // apart only
};

// Path of the built binary beside this test, and of the directories with built plugins.
fs::path build_bin(const std::string& name);
fs::path zoo_plugin(const std::string& name);

// Lines of a file; empty if there is none. An incomplete last line is left out.
std::vector<std::string> lines_of(const fs::path& file);

// What the zoo's recorder wrote: one entry a line of record.log.
struct Recorded {
  std::string subject;
  std::int64_t sequence = 0;
  unsigned attempt = 0;
  std::uint64_t fence = 0;
  std::int64_t time_ns = 0;  // steady clock; 0: not recorded
};
std::vector<Recorded> recorded(const fs::path& log);

// (subject, sequence) of every line of audit_log's files in a directory, in order.
std::vector<Recorded> audited(const fs::path& state_dir);

}  // namespace cape::test
