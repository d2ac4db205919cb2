#include "host/child/sandbox/usage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace cape::child {
namespace {

std::string read_front(int fd) {
  char bytes[1024];
  const ssize_t got = pread(fd, bytes, sizeof bytes, 0);
  return {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

UniqueFd open_stat(pid_t reaper) {
  const std::string children = fmt::format("/proc/{0}/task/{0}/children", reaper);
  const UniqueFd list(open(children.c_str(), O_RDONLY | O_CLOEXEC));
  const std::uint64_t plugin = list ? number(read_front(list.get())) : 0;
  if (plugin == 0) return {};
  return UniqueFd(open(fmt::format("/proc/{}/stat", plugin).c_str(), O_RDONLY | O_CLOEXEC));
}

// Fields of /proc/PID/stat as proc(5) counts them, which follow the name in brackets.
constexpr int first_behind_name = 3, field_user = 14, field_system = 15, field_resident_pages = 24;

std::optional<ChildUsage> usage_in(std::string_view stat) {
  const std::size_t behind_name = stat.rfind(')');
  if (behind_name == std::string_view::npos) return std::nullopt;
  std::uint64_t ticks = 0, pages = 0;
  std::size_t at = std::min(behind_name + 2, stat.size());
  for (int field = first_behind_name; field <= field_resident_pages && at < stat.size(); ++field) {
    const std::size_t end = std::min(stat.find(' ', at), stat.size());
    if (field == field_user || field == field_system) ticks += number(stat.substr(at, end - at));
    if (field == field_resident_pages) pages = number(stat.substr(at, end - at));
    at = std::min(end + 1, stat.size());
  }
  return ChildUsage{.cpu_ms = ticks * 1000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)),
                    .resident_bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
}

}  // namespace

std::optional<ChildUsage> UsageReader::read(pid_t reaper) {
  if (!stat_) stat_ = open_stat(reaper);
  return stat_ ? usage_in(read_front(stat_.get())) : std::nullopt;
}

}  // namespace cape::child
