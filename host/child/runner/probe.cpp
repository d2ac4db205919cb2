#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "core/unique_fd.hpp"
#include "host/child/runner/sandbox.hpp"

namespace cape::child {
namespace {

bool sees_a_network() {
  const UniqueFd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq question = {};
  std::strcpy(question.ifr_name, "lo");
  return any && ioctl(any.get(), SIOCGIFFLAGS, &question) == 0 && (question.ifr_flags & IFF_UP) != 0;
}

bool opens(const char* path, int flags) {
  return static_cast<bool>(UniqueFd(open(path, flags | O_CLOEXEC, 0600)));
}

}  // namespace

std::string try_to_escape() {
  std::string out;
  const auto note = [&](bool succeeded, const char* what) {
    if (succeeded) out += (out.empty() ? "" : ", ") + std::string(what);
  };
  note(opens("/etc/passwd", O_RDONLY), "read /etc/passwd");
  note(opens("/proc/1/environ", O_RDONLY), "read /proc");
  note(opens("/probe", O_WRONLY | O_CREAT), "write into the root directory");
  note(mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0, "remount the root directory");
  note(setuid(0) == 0, "become uid 0");
  note(sees_a_network(), "see a network");
  return out;
}

}  // namespace cape::child
