#include "host/child/sandbox/stderr_lines.hpp"

#include <algorithm>
#include <utility>

#include "core/types.hpp"

namespace cape::child {
namespace {

constexpr std::int64_t line_ns = 1'000'000'000 / StderrLines::lines_per_s;
constexpr std::int64_t burst_ns = line_ns * StderrLines::burst_lines;

}  // namespace

void StderrLines::feed(std::string_view bytes, std::int64_t boot_ns, std::vector<std::string>& out) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    // One byte more than fits, so that printable() marks the cut; the rest of a long line is not kept.
    open_line_ += piece.substr(0, line_bytes_max + 1 - std::min(open_line_.size(), line_bytes_max + 1));
    if (end == std::string_view::npos) return;
    complete(boot_ns, out);
    bytes.remove_prefix(end + 1);
  }
}

void StderrLines::finish(std::int64_t boot_ns, std::vector<std::string>& out) {
  if (!open_line_.empty()) complete(boot_ns, out);
}

std::uint64_t StderrLines::take_dropped() { return std::exchange(dropped_, 0); }

void StderrLines::complete(std::int64_t boot_ns, std::vector<std::string>& out) {
  if (admit(boot_ns)) out.push_back(printable(open_line_, line_bytes_max));
  else ++dropped_;
  open_line_.clear();
}

// Each line takes its time out of an allowance of burst_ns, which fills up again with time.
bool StderrLines::admit(std::int64_t boot_ns) {
  const std::int64_t after = std::max(full_at_ns_, boot_ns) + line_ns;
  if (after - boot_ns > burst_ns) return false;
  full_at_ns_ = after;
  return true;
}

}  // namespace cape::child
