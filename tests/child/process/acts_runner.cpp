// serve() of the tests' cape-runner: config_json names one act, which runs where a plugin would. What it sees goes
// to stderr as lines; its return value is the exit code. Acts that begin with "run " do it after tighten().
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "host/child/runner/runner.hpp"

namespace cape::child {
namespace {

using Words = std::vector<std::string>;

void say(const std::string& key, const std::string& value) {
  std::fprintf(stderr, "%s=%s\n", key.c_str(), value.c_str());
}
void say(const std::string& key, long long value) { say(key, std::to_string(value)); }
// "ok", or the name of errno.
void say_done(const std::string& key, bool succeeded) { say(key, succeeded ? "ok" : strerrorname_np(errno)); }

std::string open_descriptors() {
  std::string out;
  for (int fd = 0; fd < 1024; ++fd)
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) out += (out.empty() ? "" : " ") + std::to_string(fd);
  return out;
}

std::string names_in(const char* path) {
  std::map<std::string, int> names;
  DIR* dir = opendir(path);
  if (!dir) return strerrorname_np(errno);
  while (const dirent* entry = readdir(dir))
    if (entry->d_name[0] != '.') names[entry->d_name];
  closedir(dir);
  std::string out;
  for (const auto& [name, unused] : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

bool has_capabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2] = {};
  if (syscall(SYS_capget, &header, words) != 0) return false;  // refused by the filter: told from outside
  return (words[0].permitted | words[0].effective | words[1].permitted | words[1].effective) != 0;
}

int report(RunnerContext& context, const Words&) {
  utsname machine = {};
  uname(&machine);
  char here[4096] = "";
  say("cwd", getcwd(here, sizeof here) ? here : strerrorname_np(errno));
  say("fds", open_descriptors());
  say("root", names_in("/"));
  say("pid", getpid());
  say("uid", getuid());
  say("caps", has_capabilities());
  say("hostname", machine.nodename);
  say("level", std::string(1, context.sandbox.level));
  say("layers", context.sandbox.layers);
  say("missing", context.sandbox.missing);
  return 0;
}

int try_paths(RunnerContext&, const Words& words) {  // paths PATH...
  for (const std::string& path : words) {
    struct stat at = {};
    say_done("stat " + path, stat(path.c_str(), &at) == 0);
    say_done("read " + path, open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0);
    say_done("create " + path + "/made", open((path + "/made").c_str(), O_WRONLY | O_CREAT, 0600) >= 0);
    say_done("mkdir " + path + "/dir", mkdir((path + "/dir").c_str(), 0700) == 0);
  }
  return 0;
}

int read_file(RunnerContext&, const Words& words) {
  char text[64] = "";
  const int fd = open(words[0].c_str(), O_RDONLY | O_CLOEXEC);
  say("text", fd >= 0 && read(fd, text, sizeof text - 1) >= 0 ? text : strerrorname_np(errno));
  return 0;
}

// As the loader maps a library's code.
int map_code(RunnerContext&, const Words& words) {
  const int fd = open(words[0].c_str(), O_RDONLY | O_CLOEXEC);
  say_done("map", fd >= 0 && mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  return 0;
}

// What an append-only log and a small store do in a directory of their own.
int use_directory(RunnerContext&, const Words& words) {
  const std::string dir = words[0];
  const int log = open((dir + "/day.jsonl").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  say_done("append", log >= 0 && write(log, "{}\n{", 4) == 4);
  say_done("cut", ftruncate(log, 3) == 0);
  say_done("sync", fdatasync(log) == 0 && fsync(log) == 0);
  say_done("lock", flock(log, LOCK_EX) == 0);
  say_done("rename", rename((dir + "/day.jsonl").c_str(), (dir + "/old.jsonl").c_str()) == 0);
  say_done("mkdir", mkdir((dir + "/sub").c_str(), 0700) == 0);
  const int watch = inotify_init1(IN_CLOEXEC);
  say_done("watch", inotify_add_watch(watch, dir.c_str(), IN_CREATE) >= 0);
  say("names", names_in(dir.c_str()));
  say_done("set-user-id", open((dir + "/suid").c_str(), O_WRONLY | O_CREAT, 04755) >= 0);
  say_done("chmod set-user-id", chmod((dir + "/old.jsonl").c_str(), 06755) == 0);
  say_done("device", mknod((dir + "/null").c_str(), S_IFCHR | 0600, 0x103) == 0);
  return 0;
}

std::string sql(sqlite3* db, const char* text) {
  std::string out;
  char* error = nullptr;
  const auto collect = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0] ? values[0] : "NULL";
    return 0;
  };
  if (sqlite3_exec(db, text, collect, &out, &error) != SQLITE_OK) out = error ? error : "failed";
  sqlite3_free(error);
  return out;
}

int use_sqlite(RunnerContext&, const Words& words) {  // sqlite FILE ro|rw
  const bool writes = words[1] == "rw";
  sqlite3* db = nullptr;
  const int flags = writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  say("open", sqlite3_open_v2(words[0].c_str(), &db, flags, nullptr) == SQLITE_OK ? "ok" : sqlite3_errmsg(db));
  if (writes) {
    say("mode", sql(db, "PRAGMA journal_mode=WAL"));
    say("insert", sql(db, "CREATE TABLE t(n INTEGER); INSERT INTO t VALUES (7)"));
    say("checkpoint", sql(db, "PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  say("count", sql(db, "SELECT n FROM t"));
  sqlite3_close(db);
  return 0;
}

int call(RunnerContext&, const Words& words) {  // call NUMBER [ARGUMENT...]
  long a[6] = {};
  for (std::size_t i = 1; i < words.size(); ++i) a[i - 1] = std::stol(words[i], nullptr, 0);
  const long done = syscall(std::stol(words[0]), a[0], a[1], a[2], a[3], a[4], a[5]);
  say_done("call", done >= 0);
  return 0;
}

int make_executable(RunnerContext&, const Words& words) {  // exec_memory w|x
  const int first = words[0] == "w" ? PROT_READ | PROT_WRITE | PROT_EXEC : PROT_READ | PROT_WRITE;
  void* at = mmap(nullptr, 4096, first, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say_done("mmap", at != MAP_FAILED);
  say_done("mprotect", mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0);
  return 0;
}

int touch_life(RunnerContext&, const Words&) {
  say_done("close", close(fd_life) == 0);
  say_done("unlock", flock(fd_life, LOCK_UN) == 0);
  say_done("dup", dup(fd_life) >= 0);
  say_done("dup2 over", dup2(2, fd_life) >= 0);
  say_done("dup3 over", dup3(2, fd_life, O_CLOEXEC) >= 0);
  struct flock lock = {};
  lock.l_type = F_UNLCK;
  say_done("fcntl", fcntl(fd_life, F_SETLK, &lock) == 0);
  say_done("close_range", syscall(SYS_close_range, fd_life, fd_life, 0) == 0);
  say_done("high bits", syscall(SYS_close, (1l << 32) | fd_life) == 0);
  say_done("control", close(fd_control) == 0);
  return 0;
}

int change_sigsys(RunnerContext&, const Words&) {
  say_done("ignore", signal(SIGSYS, SIG_IGN) != SIG_ERR);
  say_done("socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  return 0;
}

int block_sigsys(RunnerContext&, const Words&) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  socket(AF_INET, SOCK_STREAM, 0);
  return 0;
}

int write_requests(RunnerContext& context, const Words&) {
  say_done("writable", mprotect(const_cast<RequestHeader*>(context.request), 4096, PROT_READ | PROT_WRITE) == 0);
  return 0;
}

int start_threads(RunnerContext&, const Words& words) {
  const int wanted = std::stoi(words[0]);
  std::vector<std::thread> threads;
  std::atomic<bool> done = false;
  try {
    while (static_cast<int>(threads.size()) < wanted) threads.emplace_back([&] { done.wait(false); });
  } catch (const std::system_error&) {
  }
  say("threads", static_cast<long long>(threads.size()));
  done = true;
  done.notify_all();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

int take_memory(RunnerContext&, const Words& words) {
  const long wanted = std::stol(words[0]);
  long mib = 0;
  for (; mib < wanted; ++mib) {
    void* at = std::malloc(1 << 20);
    if (!at) break;
    std::memset(at, 1, 1 << 20);
  }
  say("mib", mib);
  void* shared = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  say_done("shared", shared != MAP_FAILED);
  return 0;
}

int fill_file(RunnerContext&, const Words& words) {  // fill FILE MIB
  const int fd = open(words[0].c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::string block(1 << 20, 'x');
  int mib = 0;
  while (mib < std::stoi(words[1]) && write(fd, block.data(), block.size()) > 0) ++mib;
  say("mib", mib);
  return 0;
}

std::string connect_to(const std::string& port) {
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return strerrorname_np(errno);
  return connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 ? "ok" : strerrorname_np(errno);
}

// Whether a connection can be made by sending, which is no connect().
std::string send_to(const std::string& port) {
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return sendto(fd, "x", 1, MSG_FASTOPEN, reinterpret_cast<sockaddr*>(&at), sizeof at) >= 0 ? "ok" : strerrorname_np(errno);
}

int use_network(RunnerContext& context, const Words& words) {  // network GRANTED OTHER
  say("level", std::string(1, context.sandbox.level));
  say("layers", context.sandbox.layers);
  say("granted", connect_to(words[0]));
  say("other", connect_to(words[1]));
  say("fast open", send_to(words[1]));
  say_done("udp", socket(AF_INET, SOCK_DGRAM, 0) >= 0);
  say_done("mptcp", socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) >= 0);
  say_done("raw", socket(AF_INET, SOCK_RAW, 1) >= 0);
  return 0;
}

int overflow_stack(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth < 1'000'000 ? overflow_stack(depth + 1) + frame[0] : 0;
}

int die(RunnerContext&, const Words& words) {
  if (words[0] == "segv") *reinterpret_cast<volatile int*>(std::stoul(words[1], nullptr, 0)) = 1;
  if (words[0] == "stack") return overflow_stack(0);
  if (words[0] == "abort") std::abort();
  if (words[0] == "raise") raise(SIGSEGV);
  if (words[0] == "throw") throw std::runtime_error("thrown");
  return 7;
}

int sleep_for_ever(RunnerContext& context, const Words&) {
  context.response->phase.store(static_cast<std::uint32_t>(Phase::idle));
  send(fd_control, "r", 1, MSG_DONTWAIT);
  poll(nullptr, 0, -1);
  return 0;
}

int flood(RunnerContext&, const Words& words) {
  const std::string line(words[0] == "stderr" ? 200 : 100'000, 'x');
  for (int i = 0; i < 20'000; ++i) {
    if (words[0] == "stderr") std::fprintf(stderr, "\x1b[31m%s\n", line.c_str());
    else send(fd_control, "r", 1, MSG_DONTWAIT);
  }
  return 0;
}

// A child's start to finish, as a host measures it.
int end_at_once(RunnerContext& context, const Words&) {
  context.response->phase.store(static_cast<std::uint32_t>(Phase::done));
  return 0;
}

const std::map<std::string, std::function<int(RunnerContext&, const Words&)>>& acts() {
  static const std::map<std::string, std::function<int(RunnerContext&, const Words&)>> table = {
      {"report", report},
      {"paths", try_paths},
      {"read", read_file},
      {"directory", use_directory},
      {"sqlite", use_sqlite},
      {"call", call},
      {"exec_memory", make_executable},
      {"life", touch_life},
      {"sigsys", change_sigsys},
      {"block_sigsys", block_sigsys},
      {"requests", write_requests},
      {"threads", start_threads},
      {"memory", take_memory},
      {"fill", fill_file},
      {"network", use_network},
      {"die", die},
      {"sleep", sleep_for_ever},
      {"flood", flood},
      {"map", map_code},
      {"end", end_at_once},
  };
  return table;
}

}  // namespace

int serve(RunnerContext& context) {
  std::istringstream text(context.setup.config_json);
  Words words;
  for (std::string word; text >> word;) words.push_back(word);
  if (words.front() == "run") {
    const Result<std::string> tightened = tighten(context);
    if (!tightened) fail_setup(context.response, Phase::create, tightened.error().message);
    words.erase(words.begin());
  }
  const std::string name = words.front();
  words.erase(words.begin());
  return acts().at(name)(context, words);
}

}  // namespace cape::child
