// Finding and loading the file, and showing its mistakes.
#include "core/config/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/unique_fd.hpp"

namespace cape {
namespace {

constexpr std::size_t config_bytes_max = 1u << 20;

std::unexpected<std::vector<ConfigMistake>> refuse(std::string message) {
  return std::unexpected(std::vector{ConfigMistake{0, "", std::move(message)}});
}

// Reads to the end, or to one byte past the limit. Returns 0 or an errno.
int read_some(int fd, std::string& into) {
  char buffer[16 << 10];
  while (into.size() <= config_bytes_max) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return 0;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    into.append(buffer, static_cast<std::size_t>(got));
  }
  return 0;
}

template <class Named>
const Named* find_named(const std::vector<Named>& all, std::string_view name) {
  const auto it = std::ranges::find(all, name, &Named::name);
  return it == all.end() ? nullptr : &*it;
}

}  // namespace

const char* name_of(Mode mode) {
  switch (mode) {
    case Mode::strict:
      return "strict";
    case Mode::pipelined:
      return "pipelined";
    case Mode::latest:
      return "latest";
  }
  return "unknown";
}

const DomainConfig* Config::domain(std::string_view name) const {
  return find_named(domains, name);
}
const TopologyConfig* Config::topology(std::string_view name) const {
  return find_named(topologies, name);
}

ConfigResult load_config(const fs::path& file) {
  // O_NONBLOCK: opening a FIFO must not hang; it is refused below.
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd)
    return refuse(fmt::format("cannot be opened: {}; name another with --config FILE", std::strerror(errno)));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return refuse("is not a regular file; name another with --config FILE");

  std::string text;
  if (const int error = read_some(fd.get(), text))
    return refuse(fmt::format("cannot be read: {}", std::strerror(error)));
  if (text.size() > config_bytes_max) return refuse("is larger than 1 MiB; no config needs that");
  return parse_config(text, file);
}

fs::path find_config(const std::optional<fs::path>& given) {
  if (given) return *given;
  const char* from_environment = std::getenv("CAPE_CONFIG");
  if (from_environment && *from_environment) return from_environment;
  return "./cape.toml";
}

std::string to_text(const std::vector<ConfigMistake>& mistakes, const fs::path& file) {
  std::string out;
  for (const ConfigMistake& mistake : mistakes) {
    out += printable(file.string(), 4096);
    if (mistake.line) out += fmt::format(":{}", mistake.line);
    out += ": ";
    if (!mistake.key.empty()) out += mistake.key + ": ";
    out += mistake.message + '\n';
  }
  return out;
}

}  // namespace cape
