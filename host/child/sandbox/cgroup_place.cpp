#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <ranges>

#include <fmt/format.h>

#include "host/child/sandbox/cgroup.hpp"

namespace cape::child {
namespace {

constexpr std::string_view controllers[] = {"memory", "pids", "cpu"};
constexpr std::string_view own_prefix = "cape-";

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, by)) parts.emplace_back(part.begin(), part.end());
  return parts;
}

bool lists(std::string_view commas, std::string_view word) {
  const auto words = split(commas, ',');
  return std::ranges::find(words, word) != words.end();
}

struct Mount {
  std::string_view root, at, type, options;  // options: of the file system
};

// "36 35 98:0 /root /mount/point rw,noatime master:1 - type source options"
std::optional<Mount> mount_of(std::string_view line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto front = split(line.substr(0, dash), ' '), back = split(line.substr(dash + 3), ' ');
  if (front.size() < 5 || back.size() < 3) return std::nullopt;
  return Mount{.root = front[3], .at = front[4], .type = back[0], .options = back[2]};
}

// Where a mount shows the group `path`; empty: it does not.
fs::path shown_at(const Mount& mount, std::string_view path) {
  const std::string_view root = mount.root == "/" ? "" : mount.root;
  if (!path.starts_with(root)) return {};
  const std::string_view below = path.substr(root.size());
  if (!below.empty() && below.front() != '/') return {};
  return fs::path(std::string(mount.at) + (below == "/" ? "" : std::string(below)));
}

// Our group in the hierarchy that `is_it` picks by the middle field of "4:memory:/path".
template <class Pick>
std::optional<std::string_view> group_in(std::string_view cgroup, Pick is_it) {
  for (const std::string_view line : split(cgroup, '\n')) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    if (is_it(line.substr(first + 1, second - first - 1))) return line.substr(second + 1);
  }
  return std::nullopt;
}

fs::path v1_dir(std::string_view mountinfo, std::string_view cgroup, std::string_view controller) {
  const auto path = group_in(cgroup, [&](std::string_view names) { return lists(names, controller); });
  if (!path) return {};
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto mount = mount_of(line);
    if (!mount || mount->type != "cgroup" || !lists(mount->options, controller)) continue;
    if (fs::path dir = shown_at(*mount, *path); !dir.empty()) return dir;
  }
  return {};
}

std::string read_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool names_all(const fs::path& file) {
  std::string text = read_file(file);
  std::ranges::replace(text, ' ', ',');
  std::ranges::replace(text, '\n', ',');
  return std::ranges::all_of(controllers, [&](std::string_view name) { return lists(text, name); });
}

bool write_all(const fs::path& file, std::string_view text) {
  std::ofstream stream(file);
  return static_cast<bool>(stream << text << std::flush);
}

bool hand_down_controllers(const fs::path& dir) {
  constexpr std::string_view all = "+memory +pids +cpu";
  const fs::path control = dir / "cgroup.subtree_control";
  if (names_all(control) || write_all(control, all)) return true;
  // Only a group without processes of its own may. If we are all there is, we move down.
  if (read_file(dir / "cgroup.procs") != fmt::format("{}\n", getpid())) return false;
  const fs::path below = dir / "cape-host";
  if (mkdir(below.c_str(), 0755) != 0 && errno != EEXIST) return false;
  return write_all(below / "cgroup.procs", std::to_string(getpid())) && write_all(control, all);
}

// "cape-PID-NUMBER" of a process that is no more.
bool is_left_over(std::string_view name) {
  if (!name.starts_with(own_prefix)) return false;
  name.remove_prefix(own_prefix.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && pid > 0 && end != name.data() + name.size() && *end == '-' &&
         kill(pid, 0) != 0 && errno == ESRCH;
}

// rmdir() takes away no group that has a process.
void sweep(const fs::path& dir) {
  DIR* entries = opendir(dir.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries))
    if (is_left_over(entry->d_name)) rmdir((dir / entry->d_name).c_str());
  closedir(entries);
}

// nullopt: groups can be made there.
std::optional<std::string> trouble_with(const CgroupPlace& place) {
  for (const fs::path& dir : {place.memory, place.pids, place.cpu}) sweep(dir);
  const Result<ChildGroup> tried = ChildGroup::make(place);
  if (!tried) return tried.error().message;
  const Result<void> limited = tried->limit({.memory_bytes = 64u << 20, .processes = 8, .cores = 1});
  return limited ? std::nullopt : std::optional(limited.error().message);
}

CgroupPlace nowhere(std::string why) {
  return {.version = 0, .memory = {}, .pids = {}, .cpu = {}, .missing = std::move(why)};
}

}  // namespace

CgroupPlace cgroup_v1_place(std::string_view mountinfo, std::string_view cgroup) {
  CgroupPlace place{.version = 1,
                    .memory = v1_dir(mountinfo, cgroup, "memory"),
                    .pids = v1_dir(mountinfo, cgroup, "pids"),
                    .cpu = v1_dir(mountinfo, cgroup, "cpu"),
                    .missing = {}};
  if (place.memory.empty() || place.pids.empty() || place.cpu.empty())
    return nowhere("no version 1 group of memory, pids and cpu is mounted");
  return place;
}

CgroupPlace cgroup_v2_place(std::string_view mountinfo, std::string_view cgroup) {
  const auto path = group_in(cgroup, [](std::string_view names) { return names.empty(); });
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto mount = mount_of(line);
    if (!path || !mount || mount->type != "cgroup2") continue;
    if (const fs::path dir = shown_at(*mount, *path); !dir.empty())
      return {.version = 2, .memory = dir, .pids = dir, .cpu = dir, .missing = {}};
  }
  return nowhere("no version 2 group is mounted");
}

CgroupPlace find_cgroup_place() {
  constexpr const char* remedy =
      "; give Cape a group of its own: systemd-run -p Delegate=yes, or run it as root";
  const std::string mountinfo = read_file("/proc/self/mountinfo"), cgroup = read_file("/proc/self/cgroup");
  CgroupPlace second = cgroup_v2_place(mountinfo, cgroup);
  if (second.version == 2 && names_all(second.memory / "cgroup.controllers")) {
    if (!hand_down_controllers(second.memory))
      return nowhere(
          fmt::format("{} gives no controllers to groups below it, as other processes are in it or it "
                      "may not be written{}",
                      second.memory.native(), remedy));
    const auto trouble = trouble_with(second);
    return trouble ? nowhere(*trouble + remedy) : second;
  }
  CgroupPlace first = cgroup_v1_place(mountinfo, cgroup);
  if (first.version == 0) return nowhere("no control group with memory, pids and cpu is mounted");
  const auto trouble = trouble_with(first);
  return trouble ? nowhere(*trouble + remedy) : first;
}

}  // namespace cape::child
