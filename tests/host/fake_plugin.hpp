// tests/host/fake_plugin.hpp
// The smallest file that looks like a shared library from outside, with a made-up manifest behind its headers
// that FakeInspector reads: "id version\n".
#pragma once

#include <elf.h>

#include <cstring>
#include <string>

namespace cape::test {

inline constexpr std::size_t fake_headers_bytes = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);

inline std::string fake_plugin(const std::string& id, const std::string& version,
                               const std::string& rest = {}) {
  const std::string manifest = id + " " + version + "\n" + rest;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
#if defined(__x86_64__)
  header.e_machine = EM_X86_64;
#else
  header.e_machine = EM_AARCH64;
#endif
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  Elf64_Phdr segments[2] = {};
  segments[0].p_type = PT_LOAD;
  segments[0].p_filesz = fake_headers_bytes + manifest.size();
  segments[1].p_type = PT_DYNAMIC;
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  file.append(reinterpret_cast<const char*>(segments), sizeof segments);
  return file + manifest;
}

}  // namespace cape::test
