// The checks that run no code of the plugin.
#include <gnu/libc-version.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/types.hpp"
#include "host/check/check.hpp"
#include "host/child/standing.hpp"

namespace cape::check {
namespace {

constexpr std::uint64_t static_tls_bytes_max = 1024;  // glibc keeps about 1.6 KiB for libraries loaded later

// Libraries that the runner has loaded already: nothing else is there where a plugin runs.
constexpr std::array there{
    "libc.so.6",       "libm.so.6",  "libstdc++.so.6",       "libgcc_s.so.1",        "libdl.so.2",
    "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

// Names of the runner and of libc that a plugin could take over by defining them.
constexpr std::array not_its_own{"malloc", "free",  "calloc",    "realloc",       "write", "read",
                                 "open",   "close", "sigaction", "signal",        "exit",  "_exit",
                                 "abort",  "mmap",  "memcpy",    "pthread_create"};

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t names_max = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < names_max; ++i)
    text += (i == 0 ? "" : ", ") + printable(names[i], 100);
  return names.size() > names_max ? fmt::format("{} and {} more", text, names.size() - names_max) : text;
}

Finding check_form(const Bench& bench) {
  if (bench.file_mistake.empty()) return {};
  return {Verdict::fail, bench.file_mistake};
}

Finding check_manifest(const Bench& bench) {
  if (bench.manifest_mistake.empty()) return {};
  return {Verdict::fail, bench.manifest_mistake};
}

Finding check_abi(const Bench& bench) {
  if (bench.abi_mistake.empty()) return {};
  return {Verdict::fail, bench.abi_mistake};
}

Finding check_exports(const Bench& bench) {
  std::vector<std::string> stolen, others;
  for (const std::string& name : bench.elf.exported) {
    if (std::ranges::find(not_its_own, name) != not_its_own.end())
      stolen.push_back(name);
    else if (!name.starts_with("cape_entry_v"))
      others.push_back(name);
  }
  if (!stolen.empty())
    return {Verdict::fail,
            fmt::format("it defines {}, which the process it is loaded into uses; link it with "
                        "plugin.map of the Cape package",
                        listed(stolen))};
  if (!others.empty())
    return {Verdict::warning, fmt::format("besides its entry it exports {}; link it with plugin.map of the "
                                          "Cape package (cape_add_plugin does)",
                                          listed(others))};
  return {};
}

Finding check_needed(const Bench& bench) {
  std::vector<std::string> missing;
  for (const std::string& name : bench.elf.needed)
    if (std::ranges::find(there, name) == there.end()) missing.push_back(name);
  if (missing.empty()) return {};
  return {Verdict::fail, fmt::format("it needs {}, which is not there where plugins run; link it statically",
                                     listed(missing))};
}

Finding check_hardening(const Bench& bench) {
  const ElfFile& elf = bench.elf;
  if (!elf.run_path.empty())
    return {Verdict::fail,
            fmt::format("it has a library path ({}); link it without -rpath", printable(elf.run_path, 200))};
  if (elf.text_relocations)
    return {Verdict::fail, "it has relocations in its code; compile all of it with -fPIC"};
  if (elf.executable_stack || !elf.has_stack_note)
    return {Verdict::fail, "it wants an executable stack; link it with -z noexecstack"};
  if (elf.writable_code) return {Verdict::fail, "a segment is writable and executable; link it without -N"};
  if (!elf.relro) return {Verdict::warning, "its tables stay writable; link it with -z relro -z now"};
  return {};
}

Finding check_thread_memory(const Bench& bench) {
  if (!bench.elf.static_tls || bench.elf.tls_bytes <= static_tls_bytes_max) return {};
  return {
      Verdict::fail,
      fmt::format("it wants {} bytes of static thread-local memory, a library loaded later has at most {}; "
                  "compile it without -ftls-model=initial-exec",
                  bench.elf.tls_bytes, static_tls_bytes_max)};
}

Finding check_versions(const Bench& bench) {
  const std::string ours = std::string("GLIBC_") + gnu_get_libc_version();
  for (const std::string& wanted : bench.elf.versions)
    if (wanted.starts_with("GLIBC_") && wanted != "GLIBC_PRIVATE" &&
        child::compare_versions(wanted, ours) > 0)
      return {Verdict::fail,
              fmt::format("it needs {}, this machine has {}; build it on the oldest system that "
                          "it is to run on",
                          printable(wanted, 60), ours)};
  return {};
}

Finding check_oddities(const Bench& bench) {
  if ((bench.mode & (S_ISUID | S_ISGID)) != 0)
    return {Verdict::fail, "the file has a set-user-id bit; chmod a-s it"};
  if (bench.elf.resolvers.empty()) return {};
  return {Verdict::information,
          fmt::format("resolvers run while it is loaded: {}", listed(bench.elf.resolvers))};
}

constexpr Check of_files[] = {
    {"S1", "it is a whole shared library of this machine", check_form},
    {"S2", "it has one manifest, and that is right", check_manifest},
    {"S3", "it needs an ABI that this Cape offers", check_abi},
    {"S4", "it exports its entry alone", check_exports},
    {"S5", "it needs no library that is not there where plugins run", check_needed},
    {"S6", "nothing in it loosens the walls: paths, stack, code, tables", check_hardening},
    {"S7", "its thread-local memory fits", check_thread_memory},
    {"S8", "it needs no newer C library than this machine has", check_versions},
    {"S9", "it has no set-user-id bit", check_oddities},
};

}  // namespace

std::span<const Check> static_checks() {
  return of_files;
}

}  // namespace cape::check
