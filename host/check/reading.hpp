// host/check/reading.hpp
// What is read of a plugin's file before anything of it is loaded. Each question is put to a confined child
// of its own, and no answer is believed beyond its form. Thread: one; each blocks for check_ms_max at most.
#pragma once

#include <span>

#include "host/check/check.hpp"

namespace cape::check {

// The sealed bytes, mapped: nobody can change or shrink them. Empty: they cannot be mapped.
class MappedImage {
 public:
  explicit MappedImage(const child::PluginImage& image);
  ~MappedImage();
  MappedImage(const MappedImage&) = delete;
  MappedImage& operator=(const MappedImage&) = delete;
  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Is it a whole library of this machine? S1.
Finding read_form(const child::PluginImage& image, std::span<const std::uint8_t> bytes, bool in_process);

// S2 and S3. `manifest` is what a host would accept if both pass.
struct NoteRead {
  Finding note, abi;
  child::ManifestReport manifest;
};
NoteRead read_note(std::span<const std::uint8_t> bytes, bool in_process);

// A check that reads the file.
Finding read_check(const Check& check, const Bench& bench);

}  // namespace cape::check
