#include "host/child/runner/file_checks.hpp"

#include <gnu/libc-version.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/types.hpp"
#include "host/child/standing.hpp"

namespace cape::child {
namespace {

using Kind = FileFinding::Kind;

constexpr std::uint64_t static_tls_bytes_max = 1024;  // glibc keeps about 1.6 KiB for libraries loaded later

// Libraries that the runner has loaded already: nothing else is there where a plugin runs.
constexpr std::array loaded_already{
    "libc.so.6",       "libm.so.6",  "libstdc++.so.6",       "libgcc_s.so.1",        "libdl.so.2",
    "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

// Names of the runner and of libc that a plugin could take over by defining them.
constexpr std::array not_its_own{"malloc", "free",  "calloc",    "realloc",       "write", "read",
                                 "open",   "close", "sigaction", "signal",        "exit",  "_exit",
                                 "abort",  "mmap",  "memcpy",    "pthread_create"};

template <class Names>
bool is_in(const Names& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

FileFinding look_at_exports(const ElfFile& elf) {
  std::vector<std::string> stolen, others;
  for (const std::string& name : elf.exported) {
    if (is_in(not_its_own, name))
      stolen.push_back(name);
    else if (!name.starts_with("cape_entry_v"))
      others.push_back(name);
  }
  if (!stolen.empty())
    return {Kind::bad, "it defines " + listed_names(stolen) +
                           ", which the process it is loaded into uses; link it with plugin.map of the Cape "
                           "package"};
  if (!others.empty())
    return {Kind::warning, "besides its entry it exports " + listed_names(others) +
                               "; link it with plugin.map of the Cape package (cape_add_plugin does)"};
  return {};
}

FileFinding look_at_needed(const ElfFile& elf) {
  std::vector<std::string> missing;
  for (const std::string& name : elf.needed)
    if (!is_in(loaded_already, name)) missing.push_back(name);
  if (missing.empty()) return {};
  return {Kind::bad,
          "it needs " + listed_names(missing) + ", which is not there where plugins run; link it statically"};
}

FileFinding look_at_hardening(const ElfFile& elf) {
  if (!elf.run_path.empty())
    return {Kind::bad,
            "it has a library path (" + printable(elf.run_path, 200) + "); link it without -rpath"};
  if (elf.text_relocations)
    return {Kind::bad, "it has relocations in its code; compile all of it with -fPIC"};
  if (elf.executable_stack || !elf.has_stack_note)
    return {Kind::bad, "it wants an executable stack; link it with -z noexecstack"};
  if (elf.writable_code) return {Kind::bad, "a segment is writable and executable; link it without -N"};
  if (!elf.relro) return {Kind::warning, "its tables stay writable; link it with -z relro -z now"};
  return {};
}

FileFinding look_at_thread_memory(const ElfFile& elf) {
  if (!elf.static_tls || elf.tls_bytes <= static_tls_bytes_max) return {};
  return {Kind::bad, "it wants " + std::to_string(elf.tls_bytes) +
                         " bytes of static thread-local memory, a library loaded later has at most " +
                         std::to_string(static_tls_bytes_max) +
                         "; compile it without -ftls-model=initial-exec"};
}

FileFinding look_at_versions(const ElfFile& elf) {
  const std::string ours = std::string("GLIBC_") + gnu_get_libc_version();
  for (const std::string& wanted : elf.versions)
    if (wanted.starts_with("GLIBC_") && wanted != "GLIBC_PRIVATE" && compare_versions(wanted, ours) > 0)
      return {Kind::bad, "it needs " + printable(wanted, 60) + ", this machine has " + ours +
                             "; build it on the oldest system that it is to run on"};
  return {};
}

constexpr FileCheck checks[] = {
    {"S4", "it exports its entry alone", look_at_exports},
    {"S5", "it needs no library that is not there where plugins run", look_at_needed},
    {"S6", "nothing in it loosens the walls: paths, stack, code, tables", look_at_hardening},
    {"S7", "its thread-local memory fits", look_at_thread_memory},
    {"S8", "it needs no newer C library than this machine has", look_at_versions},
};

}  // namespace

std::string listed_names(const std::vector<std::string>& names) {
  constexpr std::size_t names_max = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < names_max; ++i)
    text += (i == 0 ? "" : ", ") + printable(names[i], 100);
  if (names.size() > names_max) text += " and " + std::to_string(names.size() - names_max) + " more";
  return text;
}

std::span<const FileCheck> file_checks() {
  return checks;
}

FileFault find_file_fault(std::span<const std::uint8_t> file) {
  const Result<ElfFile> elf = read_elf(file);
  if (!elf) return {"S1", elf.error().message};
  for (const FileCheck& check : checks)
    if (FileFinding found = check.look(*elf); found.kind == Kind::bad)
      return {check.id, std::move(found.text)};
  return {};
}

}  // namespace cape::child
