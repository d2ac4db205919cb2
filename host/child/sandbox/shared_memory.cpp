#include "host/child/sandbox/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cape::child {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t backing_step_bytes = 128 << 10;
constexpr std::uint64_t ring_bytes_min = 1 << 20;
constexpr std::uint64_t frame_slack_bytes = 64 << 10;

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t step) { return (bytes + step - 1) / step * step; }

Result<UniqueFd> make_memfd(const char* name, std::uint64_t bytes) {
  UniqueFd file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return fail_errno(ErrorCode::unavailable, "shared memory of the child", errno);
  if (const int failed = posix_fallocate(file.get(), 0, header_bytes); failed != 0)
    return fail_errno(ErrorCode::unavailable, "shared memory of the child", failed);
  return file;
}

Result<void> seal(int fd, int seals) {
  if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    return fail_errno(ErrorCode::io, "sealing shared memory", errno);
  return {};
}

}  // namespace

Result<Mapping> Mapping::of(int fd, std::uint64_t bytes, int protection) {
  Mapping mapping;
  void* at = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return fail_errno(ErrorCode::unavailable, "mapping shared memory", errno);
  mapping.at_ = at;
  mapping.bytes_ = bytes;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(at_, other.at_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (at_) munmap(at_, bytes_);
}

Result<SharedMemory> SharedMemory::make(std::uint64_t ring_bytes) {
  SharedMemory memory;
  memory.ring_bytes_ = ring_bytes;
  for (UniqueFd* file : {&memory.request_, &memory.response_}) {
    Result<UniqueFd> made = make_memfd("cape-ring", header_bytes + ring_bytes);
    if (!made) return std::unexpected(made.error());
    *file = std::move(*made);
  }
  Result<Mapping> request = Mapping::of(memory.request_.get(), header_bytes + ring_bytes, PROT_READ | PROT_WRITE);
  if (!request) return std::unexpected(request.error());
  Result<Mapping> response = Mapping::of(memory.response_.get(), header_bytes, PROT_READ);
  if (!response) return std::unexpected(response.error());
  memory.request_map_ = std::move(*request);
  memory.response_map_ = std::move(*response);
  // After our own mapping: from here on nobody gets another one that can write.
  if (Result<void> done = seal(memory.request_.get(), F_SEAL_FUTURE_WRITE); !done)
    return std::unexpected(done.error());
  if (Result<void> done = seal(memory.response_.get(), 0); !done) return std::unexpected(done.error());
  memory.request().magic = layout_magic;
  memory.request().ring_bytes = ring_bytes;
  memory.request().take_back.value.store(UINT64_MAX);
  // Nobody looks at a child before it has something to say: its first words must ring.
  memory.request().host_sleeps.value.store(1);
  return memory;
}

Result<void> SharedMemory::back_request(std::uint64_t from, std::uint64_t bytes) {
  const std::uint64_t end = std::min(from + bytes, ring_bytes_);
  if (end <= backed_bytes_) return {};
  const std::uint64_t to = std::min(round_up(end, backing_step_bytes), ring_bytes_);
  const int failed = posix_fallocate(request_.get(), static_cast<off_t>(header_bytes + backed_bytes_),
                                     static_cast<off_t>(to - backed_bytes_));
  if (failed != 0) return fail_errno(ErrorCode::unavailable, "memory for the requests of the child", failed);
  backed_bytes_ = to;
  return {};
}

std::uint64_t ring_bytes_for(std::uint64_t asked_bytes, std::uint64_t payload_bytes_max) {
  const std::uint64_t needed = std::max(ring_bytes_min, 2 * payload_bytes_max + frame_slack_bytes);
  return round_up(asked_bytes == 0 ? needed : asked_bytes, page_bytes);
}

Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes) {
  UniqueFd file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno(ErrorCode::unavailable, "memfd", errno);
  for (std::string_view left = bytes; !left.empty();) {
    const ssize_t wrote = write(file.get(), left.data(), left.size());
    if (wrote <= 0) return fail_errno(ErrorCode::unavailable, "write of a memfd", errno);
    left.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (Result<void> done = seal(file.get(), F_SEAL_WRITE); !done) return std::unexpected(done.error());
  return file;
}

}  // namespace cape::child
