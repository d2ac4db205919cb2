// The two memfds between host and child (layout.hpp), as the host holds them.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "host/child/layout.hpp"

namespace cape::child {

// A memory mapping, unmapped at the end.
class Mapping {
 public:
  Mapping() = default;
  static Result<Mapping> of(int fd, std::uint64_t bytes, int protection);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  void* at() const { return at_; }

 private:
  void* at_ = nullptr;
  std::uint64_t bytes_ = 0;
};

class SharedMemory {
 public:
  // Both headers are backed by memory; the rings are not yet. `ring_bytes` is a multiple of the page size.
  static Result<SharedMemory> make(std::uint64_t ring_bytes);

  RequestHeader& request() { return *static_cast<RequestHeader*>(request_map_.at()); }
  std::uint8_t* request_ring() { return static_cast<std::uint8_t*>(request_map_.at()) + header_bytes; }
  const ResponseHeader& response() const { return *static_cast<const ResponseHeader*>(response_map_.at()); }
  int request_fd() const { return request_.get(); }
  int response_fd() const { return response_.get(); }
  std::uint64_t ring_bytes() const { return ring_bytes_; }

  // Backs the ring up to where bytes [from, from + bytes) since the start end, so that writing them cannot fault
  // for want of memory. Touches nothing once the ring has been round.
  Result<void> back_request(std::uint64_t from, std::uint64_t bytes);

 private:
  UniqueFd request_, response_;
  Mapping request_map_, response_map_;
  std::uint64_t ring_bytes_ = 0;
  std::uint64_t backed_bytes_ = 0;
};

std::uint64_t ring_bytes_for(std::uint64_t asked_bytes, std::uint64_t payload_bytes_max);

// A memfd that holds `bytes` and can never change again.
Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes);

}  // namespace cape::child
