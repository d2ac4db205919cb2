// The checks of a plugin's file that run no code of it: S4..S8 of `cape plugin check`. Intake's inspection
// makes them in the child, before the library is loaded there, and sets aside what fails one: the plugin
// guide and a host cannot disagree. No byte of the file is believed. Pure. Thread: any.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/error.hpp"
#include "host/child/runner/elf_file.hpp"

namespace cape::child {

struct FileFinding {
  enum class Kind : std::uint8_t { good, information, warning, bad };
  Kind kind = Kind::good;
  std::string text;  // what is wrong, and what to do; printable
};

struct FileCheck {
  const char* id;
  const char* promise;
  FileFinding (*look)(const ElfFile& elf);
};
std::span<const FileCheck> file_checks();

// The first of them, for a person.
std::string listed_names(const std::vector<std::string>& names);

// The first check that the file fails. `id` null: none.
struct FileFault {
  const char* id = nullptr;
  std::string text;
};
FileFault find_file_fault(std::span<const std::uint8_t> file);

}  // namespace cape::child
