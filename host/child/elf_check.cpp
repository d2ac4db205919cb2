#include "host/child/elf_check.hpp"

#include <elf.h>
#include <unistd.h>

#include <cstring>

#include <fmt/format.h>

namespace cape::child {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t our_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t our_machine = EM_AARCH64;
#else
#error "name this machine's ELF number here"
#endif

constexpr std::uint64_t segments_max = 256;

bool read_at(int fd, std::uint64_t offset, void* into, std::size_t bytes) {
  return ::pread(fd, into, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

// Does [offset, offset + length) end within `bytes`? No overflow.
bool within(std::uint64_t offset, std::uint64_t length, std::uint64_t bytes) {
  return offset <= bytes && length <= bytes - offset;
}

std::string truncated(std::uint64_t bytes) {
  return fmt::format("the file is cut off after {} bytes; copy it again", bytes);
}

std::string kind_mistake(const unsigned char* ident) {
  if (std::memcmp(ident, "!<arch>\n", 8) == 0) return "it is a static archive; link it with -shared";
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0) return "it is not a shared library (no ELF header)";
  if (ident[EI_CLASS] != ELFCLASS64) return "it is a 32-bit library; build it for this machine";
  if (ident[EI_DATA] != ELFDATA2LSB) return "it is a big-endian library; build it for this machine";
  return {};
}

std::string header_mistake(const Elf64_Ehdr& header, std::uint64_t bytes) {
  if (header.e_machine != our_machine) {
    return fmt::format("it is built for another machine (ELF machine {}); build it for this one",
                       header.e_machine);
  }
  if (header.e_type != ET_DYN) return "it is not a shared library (link it with -shared)";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > segments_max) {
    return "its program headers are malformed";
  }
  const std::uint64_t sections = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff != 0 && !within(header.e_shoff, sections, bytes)) return truncated(bytes);
  return {};
}

}  // namespace

std::string elf_mistake(int fd, std::uint64_t bytes) {
  unsigned char ident[EI_NIDENT] = {};
  if (!read_at(fd, 0, ident, sizeof ident)) return "it is not a shared library (shorter than an ELF header)";
  if (std::string mistake = kind_mistake(ident); !mistake.empty()) return mistake;

  Elf64_Ehdr header;
  if (!read_at(fd, 0, &header, sizeof header)) return truncated(bytes);
  if (std::string mistake = header_mistake(header, bytes); !mistake.empty()) return mistake;

  bool has_dynamic = false;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!within(header.e_phoff, (i + 1) * sizeof segment, bytes)) return truncated(bytes);
    if (!read_at(fd, header.e_phoff + i * sizeof segment, &segment, sizeof segment)) return truncated(bytes);
    if (!within(segment.p_offset, segment.p_filesz, bytes)) return truncated(bytes);
    if (segment.p_type == PT_INTERP) return "it is a program, not a shared library (link it with -shared)";
    has_dynamic = has_dynamic || segment.p_type == PT_DYNAMIC;
  }
  return has_dynamic ? std::string() : "it has no dynamic section, so nothing can be loaded from it";
}

}  // namespace cape::child
