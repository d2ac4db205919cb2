// The directories of grants, as they are on this machine.
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/config.hpp"

namespace cape {
namespace {

struct DirUse {
  const fs::path& path;
  const char* key;
  std::uint32_t line;
  bool written;
};

// Empty: a child could be given it.
std::string dir_mistake(const DirUse& use) {
  const char* path = use.path.c_str();
  struct stat at {};
  if (::stat(path, &at) != 0)
    return errno == ENOENT
               ? "does not exist on this machine; create it or take it out of the grant"
               : fmt::format("cannot be looked at ({}); make it accessible or take it out of the grant",
                             std::strerror(errno));
  if (!S_ISDIR(at.st_mode)) return "is no directory; grant the directory that the file lies in";
  if (::access(path, R_OK | X_OK) != 0)
    return fmt::format("cannot be read by this user ({}); change its mode or its owner",
                       std::strerror(errno));
  if (use.written && ::access(path, W_OK) != 0)
    return fmt::format("cannot be written by this user ({}); change its mode or its owner",
                       std::strerror(errno));
  return {};
}

void look_at(const Grant& grant, const std::string& table, std::vector<ConfigMistake>& mistakes) {
  const auto tell = [&](const DirUse& use) {
    if (const std::string wrong = dir_mistake(use); !wrong.empty())
      mistakes.push_back({use.line, fmt::format("{}.grant.{}", table, use.key),
                          fmt::format("\"{}\" {}", printable(use.path.string(), 256), wrong)});
  };
  for (const fs::path& path : grant.read) tell({path, "read", grant.read_line, false});
  for (const fs::path& path : grant.write) tell({path, "write", grant.write_line, true});
  for (const fs::path& path : grant.code) tell({path, "code", grant.code_line, false});
}

}  // namespace

std::vector<ConfigMistake> grant_mistakes(const Config& config) {
  std::vector<ConfigMistake> mistakes;
  for (const DomainConfig& domain : config.domains)
    look_at(domain.grant, fmt::format("domain.{}", domain.name), mistakes);
  for (const TopologyConfig& topology : config.topologies)
    for (const LambdaConfig& lambda : topology.lambdas)
      look_at(lambda.grant, fmt::format("topology.{}.lambda.{}", topology.name, lambda.name), mistakes);
  return mistakes;
}

}  // namespace cape
