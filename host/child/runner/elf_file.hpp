// ElfFile is what a library's headers say of it, for the checks that run no code of it. Nothing in the file
// is trusted: every offset is checked, and what is malformed is left out or an error. Pure. Thread: any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace cape::child {

struct ElfFile {
  std::vector<std::string> needed;     // DT_NEEDED
  std::string run_path;                // RPATH and RUNPATH
  std::vector<std::string> exported;   // defined dynamic symbols that are global or weak
  std::vector<std::string> resolvers;  // those of them that are IFUNCs
  std::vector<std::string> undefined;  // global dynamic symbols that others have to define
  std::vector<std::string> versions;   // wanted of other libraries: "GLIBC_2.34", "GLIBCXX_3.4.30"
  bool text_relocations = false, static_tls = false;
  bool has_stack_note = false, executable_stack = false;
  bool writable_code = false;  // a segment that is writable and executable
  bool relro = false;
  std::uint64_t tls_bytes = 0;
  std::uint64_t constructors = 0;  // entries of DT_INIT_ARRAY
};

// Error::invalid: a table lies outside of the file. Requires: elf_mistake() found nothing.
Result<ElfFile> read_elf(std::span<const std::uint8_t> file);

}  // namespace cape::child
