#include "host/child/sandbox/filter_builder.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/unique_fd.hpp"

namespace cape::child {

FilterBuilder::FilterBuilder(std::uint32_t default_action)
    : context_(seccomp_init(default_action), [](void* context) { seccomp_release(context); }) {
  note(context_ ? 0 : -ENOMEM, "seccomp_init");
  if (!context_) return;
  // A 32-bit or x32 call is a way round every number below.
  note(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP), "bad architecture");
  note(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
}

void FilterBuilder::allow(std::span<const int> calls) {
  for (const int call : calls) allow(call);
}

void FilterBuilder::refuse(std::uint16_t error, std::span<const int> calls) {
  for (const int call : calls) refuse(error, call);
}

void FilterBuilder::rule(std::uint32_t action, int call, Conditions conditions) {
  if (!context_) return;
  const int done = seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(conditions.size()),
                                          conditions.begin());
  if (done == 0) return;
  const std::unique_ptr<char, void (*)(void*)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call), std::free);
  note(done, name ? name.get() : "unknown call");
}

void FilterBuilder::note(int error, const char* what) {
  if (error == 0 || !mistake_.empty()) return;
  mistake_ = std::string("seccomp rule for ") + what + ": " + std::strerror(-error);
}

Result<std::string> FilterBuilder::program() const {
  if (!mistake_.empty()) return fail(ErrorCode::invalid, mistake_);
  const UniqueFd file(memfd_create("cape-filter", MFD_CLOEXEC));
  if (!file) return fail_errno(ErrorCode::io, "memfd for a seccomp program", errno);
  if (const int done = seccomp_export_bpf(context_.get(), file.get()); done != 0)
    return fail_errno(ErrorCode::io, "seccomp_export_bpf", -done);
  struct stat size = {};
  if (fstat(file.get(), &size) != 0) return fail_errno(ErrorCode::io, "fstat of a seccomp program", errno);
  std::string bytes(static_cast<std::size_t>(size.st_size), '\0');
  if (pread(file.get(), bytes.data(), bytes.size(), 0) != size.st_size)
    return fail_errno(ErrorCode::io, "read of a seccomp program", errno);
  return bytes;
}

}  // namespace cape::child
