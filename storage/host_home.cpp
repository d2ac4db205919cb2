#include "storage/host_home.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>

#include "core/unique_fd.hpp"

namespace cape::storage {
namespace {

constexpr std::size_t digits = 16;

// 0: none that can be read.
std::uint64_t read_home(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::array<char, digits> text{};
  if (!fd || ::read(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return 0;
  std::uint64_t home = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), home, 16);
  return error == std::errc{} && end == text.data() + text.size() ? home : 0;
}

// Beside it first, so that no half of a number is ever found under its name.
Result<void> write_home(const fs::path& file, std::uint64_t home) {
  const std::string text = fmt::format("{:016x}\n", home);
  const fs::path draft = file.string() + ".new";
  const UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(fd.get()) == 0 && std::rename(draft.c_str(), file.c_str()) == 0)
    return {};
  const int saved_errno = errno;
  return fail_errno(
      ErrorCode::io,
      fmt::format("cannot write {}; let this user write its directory, and make room there", file.string()),
      saved_errno);
}

}  // namespace

Result<std::uint64_t> host_home(const fs::path& data_dir) {
  const fs::path file = data_dir / "host.id";
  std::uint64_t home = read_home(file);
  if (home != 0) return home;
  while (home == 0) {
    const ssize_t got = ::getrandom(&home, sizeof home, 0);
    CAPE_CHECK(got == static_cast<ssize_t>(sizeof home));  // 8 bytes never fail once the machine is up
  }
  if (Result<void> written = write_home(file, home); !written) return std::unexpected(written.error());
  return home;
}

}  // namespace cape::storage
