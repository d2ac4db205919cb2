// host/child/image_copy.hpp
// ImageCopy turns a plugin file into bytes that nobody can change: it copies it into a memfd slice by slice,
// hashes what it copied, and seals the memfd. Thread: one; a slice reads at most slice_bytes of a local file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "host/child/file_mark.hpp"

namespace cape::child {

inline constexpr std::uint64_t slice_bytes = 1u << 20;  // about 5 ms with its hash

// SHA-256 of what was added, as 64 hex digits.
class Sha256 {
public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::string_view bytes);
  std::string finish();

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct SealedImage {
  UniqueFd memfd;  // sealed against write, grow, shrink and further seals
  std::string hash;
  std::uint64_t bytes = 0;
};

class ImageCopy {
public:
  // Opens `path` without following a symlink or waiting for a fifo. Error::invalid: no file that can be a
  // plugin; Error::limit: over bytes_max; Error::conflict: it is no longer as `expected`; else io.
  static Result<ImageCopy> open(const fs::path& path, const FileMark& expected, std::uint64_t bytes_max);

  // Copies one slice. true: all is copied. Error::conflict: the file changed meanwhile.
  Result<bool> step();
  // Once step() gave true. Error::conflict: the file changed meanwhile.
  Result<SealedImage> finish();

private:
  ImageCopy(UniqueFd source, UniqueFd memfd, const FileMark& mark)
      : source_(std::move(source)), memfd_(std::move(memfd)), mark_(mark) {}

  UniqueFd source_, memfd_;
  FileMark mark_;
  std::uint64_t copied_ = 0;
  Sha256 hash_;
};

}  // namespace cape::child
