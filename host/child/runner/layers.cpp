#include <algorithm>
#include <cerrno>

#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

constexpr int landlock_abi_of_level_a = 6;  // the first that keeps signals and abstract sockets inside

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

std::unexpected<Error> refused(std::string_view what) {
  const int saved = errno;
  return fail_errno(ErrorCode::unavailable, std::string(what), saved);
}

void Layers::off(std::string_view layer, std::string_view why) {
  if (!missing_.empty()) missing_ += "; ";
  missing_ += layer;
  missing_ += ": ";
  missing_ += why;
}

bool Layers::has(std::string_view layer) const {
  return std::ranges::find(on_, layer) != on_.end();
}

const std::string* Layers::find(std::string_view start) const {
  const auto found =
      std::ranges::find_if(on_, [&](const std::string& layer) { return starts_with(layer, start); });
  return found == on_.end() ? nullptr : &*found;
}

char Layers::level() const {
  if (!has("seccomp")) return 'D';
  const std::string* landlock = find("landlock:");
  const int abi = landlock == nullptr ? 0 : std::stoi(landlock->substr(9));
  constexpr std::string_view walls[] = {"userns", "pidns", "ipcns", "mountns", "caps"};
  const bool netted = has("netns") || find("net:") != nullptr;
  const bool walled =
      netted && std::ranges::all_of(walls, [&](std::string_view layer) { return has(layer); });
  if (!walled) return abi > 0 ? 'C' : 'D';
  const bool counted = find("cgroup:") != nullptr;
  return counted && abi >= landlock_abi_of_level_a ? 'A' : 'B';
}

SandboxReport Layers::report() const {
  return {.level = level(), .layers = join(on_), .missing = missing_};
}

}  // namespace cape::child
