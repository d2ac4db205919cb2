#include "wire/zmq/ipc_place.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "core/unique_fd.hpp"

namespace cape::wire {
namespace {

namespace fs = std::filesystem;

Result<void> prepare_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  if (error)
    return fail_errno(ErrorCode::io,
                      fmt::format("cannot make directory {}", directory.parent_path().string()),
                      error.value());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(ErrorCode::io, fmt::format("cannot make directory {}", directory.string()), errno);

  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0)
    return fail_errno(ErrorCode::io, fmt::format("cannot look at directory {}", directory.string()), errno);
  if (!S_ISDIR(found.st_mode))
    return fail(ErrorCode::conflict, fmt::format("{} is no directory; sockets go there", directory.string()));
  if (found.st_uid != ::geteuid() || (found.st_mode & 077) != 0)
    return fail(
        ErrorCode::conflict,
        fmt::format("directory {} is open to other users, and with it the sockets in it; run chmod 700 {} as "
                    "its owner, or choose another",
                    directory.string(), directory.string()));
  return {};
}

}  // namespace

Result<void> prepare_ipc_place(const fs::path& socket) {
  if (auto prepared = prepare_directory(socket.parent_path()); !prepared) return prepared;

  struct stat found {};
  if (::lstat(socket.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(ErrorCode::io, fmt::format("cannot look at {}", socket.string()), errno);
  }
  if (!S_ISSOCK(found.st_mode))
    return fail(ErrorCode::conflict,
                fmt::format("{} is in the way of a socket and is none; take it away", socket.string()));
  if (ipc_answers(socket))
    return fail(
        ErrorCode::conflict,
        fmt::format("another process listens at {}; stop it or choose another endpoint", socket.string()));
  if (::unlink(socket.c_str()) != 0 && errno != ENOENT)
    return fail_errno(ErrorCode::io, fmt::format("cannot take the dead socket {} away", socket.string()),
                      errno);
  return {};
}

bool ipc_answers(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());

  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return true;  // not known: leave it alone
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno != ENOENT && errno != ECONNREFUSED && errno != ENOTSOCK;
}

}  // namespace cape::wire
