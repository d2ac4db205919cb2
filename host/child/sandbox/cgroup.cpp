#include "host/child/sandbox/cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

namespace cape::child {
namespace {

constexpr std::int64_t cpu_period_us = 100'000;
constexpr std::int64_t cpu_quota_us_min = 1'000;  // the kernel takes no less

std::atomic<std::uint64_t> groups_made = 0;

Result<void> write_value(const fs::path& file, const std::string& value) {
  const UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(ErrorCode::unavailable, "write of " + file.native(), errno);
  return {};
}

struct Setting {
  fs::path file;
  std::string value;
};

std::int64_t quota_us(double cores) {
  return std::max(static_cast<std::int64_t>(cores * static_cast<double>(cpu_period_us)), cpu_quota_us_min);
}

std::vector<Setting> settings_v1(const std::vector<fs::path>& dirs, const CgroupLimits& limits) {
  std::vector<Setting> all{{dirs[0] / "memory.limit_in_bytes", std::to_string(limits.memory_bytes)},
                           {dirs[1] / "pids.max", std::to_string(limits.processes)}};
  if (limits.cores <= 0) return all;
  all.push_back({dirs[2] / "cpu.cfs_period_us", std::to_string(cpu_period_us)});
  all.push_back({dirs[2] / "cpu.cfs_quota_us", std::to_string(quota_us(limits.cores))});
  return all;
}

std::vector<Setting> settings_v2(const fs::path& dir, const CgroupLimits& limits) {
  std::vector<Setting> all{{dir / "memory.max", std::to_string(limits.memory_bytes)},
                           {dir / "memory.oom.group", "1"},
                           {dir / "pids.max", std::to_string(limits.processes)}};
  if (limits.cores > 0)
    all.push_back({dir / "cpu.max", fmt::format("{} {}", quota_us(limits.cores), cpu_period_us)});
  return all;
}

// "oom_kill 3" on a line of its own, in both versions.
bool counts_oom_kills(const fs::path& file) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char bytes[1024];
  const ssize_t got = fd ? read(fd.get(), bytes, sizeof bytes) : 0;
  const std::string text = "\n" + std::string(bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const std::string key = "\noom_kill ";
  const std::size_t at = text.find(key);
  return at != std::string::npos && text.compare(at + key.size(), 2, "0\n") != 0;
}

}  // namespace

Result<ChildGroup> ChildGroup::make(const CgroupPlace& place) {
  CAPE_CHECK(place.version != 0);
  const std::string name = fmt::format("cape-{}-{}", getpid(), ++groups_made);
  ChildGroup group;
  const std::vector<fs::path> parents =
      place.version == 2 ? std::vector{place.memory} : std::vector{place.memory, place.pids, place.cpu};
  for (const fs::path& parent : parents) {
    const fs::path dir = parent / name;
    if (std::ranges::find(group.dirs_, dir) == group.dirs_.end() && mkdir(dir.c_str(), 0755) != 0)
      return fail_errno(ErrorCode::unavailable, "mkdir " + dir.native(), errno);
    group.dirs_.push_back(dir);
  }
  return group;
}

Result<void> ChildGroup::limit(const CgroupLimits& limits) const {
  CAPE_CHECK(exists());
  const auto settings = dirs_.size() == 1 ? settings_v2(dirs_[0], limits) : settings_v1(dirs_, limits);
  for (const Setting& setting : settings)
    if (Result<void> done = write_value(setting.file, setting.value); !done) return done;
  return {};
}

ChildGroup::ChildGroup(ChildGroup&& other) noexcept : dirs_(std::exchange(other.dirs_, {})) {}

ChildGroup& ChildGroup::operator=(ChildGroup&& other) noexcept {
  if (this == &other) return *this;
  remove();
  dirs_ = std::exchange(other.dirs_, {});
  return *this;
}

ChildGroup::~ChildGroup() {
  remove();
}

// One that cannot be removed, since a process of it is not gone yet, is left to the sweep of the next start.
void ChildGroup::remove() {
  for (const fs::path& dir : dirs_) rmdir(dir.c_str());
  dirs_.clear();
}

Result<GroupDoors> ChildGroup::open_doors() const {
  GroupDoors doors;
  for (const fs::path& dir : dirs_) {
    const fs::path tasks = dir / "tasks";  // of version 1 alone
    UniqueFd file(open(tasks.c_str(), O_WRONLY | O_CLOEXEC));
    if (file)
      doors.tasks.push_back(std::move(file));
    else if (errno != ENOENT)
      return fail_errno(ErrorCode::unavailable, "open " + tasks.native(), errno);
    else
      doors.group = UniqueFd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  return doors;
}

Result<void> ChildGroup::join(pid_t pid) const {
  for (const fs::path& dir : dirs_)
    if (Result<void> done = write_value(dir / "cgroup.procs", std::to_string(pid)); !done) return done;
  return {};
}

bool ChildGroup::ran_out_of_memory() const {
  if (dirs_.empty()) return false;
  return counts_oom_kills(dirs_[0] / "memory.events") || counts_oom_kills(dirs_[0] / "memory.oom_control");
}

}  // namespace cape::child
