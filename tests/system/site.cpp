#include "tests/system/site.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/system/process.hpp"

namespace cape::test {

fs::path build_bin(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

fs::path zoo_plugin(const std::string& name) {
  return build_bin("").parent_path().parent_path() / "zoo" / (name + ".so");
}

Site::Site(Arrangement arrangement) {
  char name[] = "/tmp/cape-site-XXXXXX";
  if (!mkdtemp(name)) throw std::runtime_error("mkdtemp failed");
  dir_ = name;
  fs::create_directory(dir_ / "plugins");
  fs::create_directory(dir_ / "io");
  if (arrangement == Arrangement::apart) host_ = std::make_unique<Daemon>(dir_, "host");
}

Site::~Site() {
  if (up_pid_ > 0) kill_up(SIGKILL);
  host_.reset();
  eventually([&] { return left_processes().empty(); }, std::chrono::seconds(5));
  std::error_code ignored;  // a directory that stays in /tmp fails no test
  fs::remove_all(dir_, ignored);
}

void Site::configure(const std::string& rest) {
  std::ofstream(dir_ / "cape.toml") << "data_dir = \"data\"\nplugins = [\"plugins\"]\n" << rest;
}

void Site::add_plugin(const std::string& name) {
  const fs::path from = zoo_plugin(name), to = dir_ / "plugins" / (name + ".so");
  fs::copy_file(from, to);
  fs::last_write_time(to, fs::last_write_time(from));
}

fs::path Site::program() const {
  return build_bin(refused_.empty() ? "cape" : "poorer-kernel");
}

std::vector<std::string> Site::arguments(std::vector<std::string> words) const {
  if (!refused_.empty()) words.insert(words.begin(), {refused_, build_bin("cape").string()});
  return words;
}

Finished Site::cape(const std::vector<std::string>& args, const std::string& input) const {
  static int calls = 0;
  const std::string id = std::to_string(++calls);
  const Files files{dir_ / "io" / ("in" + id), dir_ / "io" / ("out" + id), dir_ / "io" / ("err" + id)};
  std::ofstream(files.in, std::ios::binary) << input;
  const pid_t pid = start_process(program(), arguments(args), files, dir_);
  int status = 0;
  waitpid(pid, &status, 0);
  return {exit_code(status), read_text(files.out), read_text(files.err)};
}

bool Site::up(const std::vector<std::string>& args) {
  const fs::path out = dir_ / "io" / "up.out";
  fs::remove(out);
  if (host_) host_->start({"host"});
  std::vector<std::string> words{host_ ? "broker" : "up"};
  words.insert(words.end(), args.begin(), args.end());
  up_pid_ =
      start_process(program(), arguments(std::move(words)), {"/dev/null", out, dir_ / "io" / "up.err"}, dir_);
  bool ready = false;
  eventually(
      [&] {
        ready = read_text(out).find("ready\n") != std::string::npos;
        return ready || wait_up(std::chrono::seconds(0)) >= 0;
      },
      std::chrono::seconds(30));
  return ready;
}

void Site::kill_up(int signal) {
  if (up_pid_ <= 0) return;
  ::kill(up_pid_, signal);
  waitpid(up_pid_, nullptr, 0);
  up_pid_ = -1;
  if (host_) host_->end(signal);
}

int Site::wait_up(std::chrono::seconds limit) {
  int code = -1;
  eventually(
      [&] {
        int status = 0;
        if (up_pid_ <= 0 || waitpid(up_pid_, &status, WNOHANG) != up_pid_) return false;
        up_pid_ = -1;
        code = exit_code(status);
        return true;
      },
      limit);
  if (code >= 0 && host_) host_->end(SIGTERM);
  return code;
}

std::string Site::up_log() const {
  return read_text(dir_ / "io" / "up.err") + (host_ ? "host:\n" + host_->log() : "");
}

std::vector<pid_t> Site::descendants(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) continue;
    const std::string stat = read_text(entry.path() / "stat");
    const std::size_t behind_name = stat.rfind(')');
    if (behind_name == std::string::npos) continue;
    std::istringstream fields(stat.substr(behind_name + 1));
    std::string state;
    pid_t parent = 0;
    fields >> state >> parent;
    children.emplace(parent, std::stoi(name));
  }
  std::vector<pid_t> found{pid};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (auto [at, end] = children.equal_range(found[i]); at != end; ++at) found.push_back(at->second);
  found.erase(found.begin());
  std::ranges::sort(found);
  return found;
}

std::vector<pid_t> Site::left_processes() const {
  std::vector<pid_t> found;
  const fs::path lock = data() / "children.lock", host_lock = data() / "host_children.lock";
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) continue;
    std::error_code gone;
    for (fs::directory_iterator fd(entry.path() / "fd", gone), end; !gone && fd != end; fd.increment(gone)) {
      std::error_code unreadable;
      const fs::path open = fs::read_symlink(fd->path(), unreadable);
      if (unreadable || (open != lock && open != host_lock)) continue;
      found.push_back(std::stoi(name));
      break;
    }
  }
  return found;
}

bool Site::eventually(const std::function<bool()>& what, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (what()) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::vector<std::string> lines_of(const fs::path& file) {
  const std::string text = read_text(file);
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find('\n', from)) != std::string::npos; from = at + 1)
    lines.push_back(text.substr(from, at - from));
  return lines;
}

std::vector<Recorded> recorded(const fs::path& log) {
  std::vector<Recorded> all;
  for (const std::string& line : lines_of(log)) {
    std::istringstream in(line);
    Recorded r;
    in >> r.subject >> r.sequence >> r.attempt >> r.fence >> r.time_ns;
    all.push_back(std::move(r));
  }
  return all;
}

std::vector<Recorded> audited(const fs::path& state_dir) {
  std::vector<fs::path> files;
  std::error_code none;
  for (fs::directory_iterator at(state_dir, none), end; !none && at != end; ++at)
    if (at->path().extension() == ".jsonl") files.push_back(at->path());
  std::ranges::sort(files);
  std::vector<Recorded> all;
  for (const fs::path& file : files)
    for (const std::string& line : lines_of(file)) {
      const auto event = nlohmann::json::parse(line);
      all.push_back({event.at("subject"), event.at("sequence"), 0, event.at("fence"), 0});
    }
  return all;
}

}  // namespace cape::test
