// A file dropped into a plugin directory: the host's first look at its headers, and the manifest in its ELF
// note as the child reads it. A manifest that the child takes is one that the host takes.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "host/child/elf_check.hpp"
#include "host/child/inspector.hpp"
#include "host/child/runner/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("plugin", MFD_CLOEXEC);
  CAPE_CHECK(file >= 0);
  CAPE_CHECK(::ftruncate(file, static_cast<off_t>(size)) == 0);
  CAPE_CHECK(::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));

  (void)cape::child::elf_mistake(file, size);
  const auto manifest = cape::child::parse_manifest({data, size});
  if (manifest) CAPE_CHECK(cape::child::manifest_mistake(*manifest).empty());
  return 0;
}
