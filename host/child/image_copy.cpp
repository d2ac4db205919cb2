#include "host/child/image_copy.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

namespace cape::child {
namespace {

constexpr std::size_t buffer_bytes = 256u << 10;

std::unexpected<Error> changed() {
  return fail(ErrorCode::conflict, "the file changed while it was copied");
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno(ErrorCode::io, "cannot keep a copy of the file in memory", errno);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<UniqueFd> open_source(const fs::path& path) {
  UniqueFd source{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)};
  if (source) return source;
  const int error = errno;
  if (error == ELOOP)
    return fail(ErrorCode::invalid, "it is a symbolic link; copy the file itself into the directory");
  if (error == ENXIO)
    return fail(ErrorCode::invalid, "it is a socket or a device; a plugin is a regular file");
  if (error == ENOENT) return changed();
  return fail_errno(ErrorCode::io, "cannot open it", error);
}

}  // namespace

struct Sha256::State {
  crypto_hash_sha256_state sodium;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  crypto_hash_sha256_init(&state_->sodium);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) {
  crypto_hash_sha256_update(&state_->sodium, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256_final(&state_->sodium, digest.data());
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> hex;
  return sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
}

Result<ImageCopy> ImageCopy::open(const fs::path& path, const FileMark& expected, std::uint64_t bytes_max) {
  Result<UniqueFd> source = open_source(path);
  if (!source) return std::unexpected(source.error());
  const FileMark mark = look_at(source->get());
  if (mark != expected) return changed();
  if (!mark.regular) return fail(ErrorCode::invalid, "it is not a regular file");
  if (mark.bytes == 0) return fail(ErrorCode::invalid, "it is empty");
  if (mark.bytes > bytes_max) {
    return fail(ErrorCode::limit,
                fmt::format("it has {} bytes; a plugin has at most {}", mark.bytes, bytes_max));
  }
  UniqueFd memfd{::memfd_create("cape-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!memfd) return fail_errno(ErrorCode::io, "cannot make memory for a copy of the file", errno);
  return ImageCopy(std::move(*source), std::move(memfd), mark);
}

Result<bool> ImageCopy::step() {
  std::vector<char> buffer(buffer_bytes);
  for (std::uint64_t slice = 0; slice < slice_bytes && copied_ < mark_.bytes;) {
    const ssize_t got = ::read(source_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(ErrorCode::io, "cannot read it", errno);
    if (got == 0) return changed();  // shorter than it was
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    copied_ += bytes.size();
    slice += bytes.size();
    if (copied_ > mark_.bytes) return changed();
    if (Result<void> wrote = write_all(memfd_.get(), bytes); !wrote) return std::unexpected(wrote.error());
    hash_.add(bytes);
  }
  return copied_ == mark_.bytes;
}

Result<SealedImage> ImageCopy::finish() {
  if (look_at(source_.get()) != mark_) return changed();
  if (::fcntl(memfd_.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return fail_errno(ErrorCode::io, "cannot seal the copy of the file", errno);
  }
  return SealedImage{.memfd = std::move(memfd_), .hash = hash_.finish(), .bytes = copied_};
}

}  // namespace cape::child
