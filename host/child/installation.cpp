#include <array>
#include <span>
#include <system_error>

#include <fmt/format.h>

#include "host/child/intake.hpp"

namespace cape::child {
namespace {

#if defined(__x86_64__)
#define CAPE_MULTIARCH "x86_64-linux-gnu"
#else
#define CAPE_MULTIARCH "aarch64-linux-gnu"
#endif

// First the build tree (bin/cape, bin/cape-runner, plugins/), then an installed prefix (bin/cape,
// LIBDIR/cape/cape-runner, LIBDIR/cape/plugins/).
Result<fs::path> find_beside_binary(std::span<const char* const> places, std::string_view what) {
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorCode::io, "cannot tell where the running binary lies; is /proc mounted?");
  for (const char* place : places) {
    const fs::path path = (binary.parent_path() / place).lexically_normal();
    if (fs::exists(path, error)) return path;
  }
  return fail(
      ErrorCode::not_found,
      fmt::format("{} is not beside {} nor below its prefix: build or install it", what, binary.string()));
}

}  // namespace

Result<fs::path> builtin_plugin_dir() {
  constexpr std::array places{"../plugins", "../lib/cape/plugins", "../lib64/cape/plugins",
                              "../lib/" CAPE_MULTIARCH "/cape/plugins"};
  return find_beside_binary(places, "the directory of built-in plugins");
}

Result<fs::path> runner_path() {
  constexpr std::array places{"cape-runner", "../lib/cape/cape-runner", "../lib64/cape/cape-runner",
                              "../lib/" CAPE_MULTIARCH "/cape/cape-runner"};
  return find_beside_binary(places, "cape-runner");
}

Result<fs::path> probe_path() {
  constexpr std::array places{"cape-probe.so", "../lib/cape/cape-probe.so", "../lib64/cape/cape-probe.so",
                              "../lib/" CAPE_MULTIARCH "/cape/cape-probe.so"};
  return find_beside_binary(places, "cape-probe.so");
}

Result<fs::path> template_dir() {
  constexpr std::array places{"../template", "../share/cape/template"};
  return find_beside_binary(places, "the directory of plugin templates");
}

}  // namespace cape::child
