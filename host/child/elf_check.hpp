// host/child/elf_check.hpp
// A first look at a plugin's bytes, before a child is spent on them: is this a whole shared library for this
// machine at all? Reads a bounded number of headers with checked arithmetic; believes none of them. What the
// library holds is looked at in a sandboxed child only.
#pragma once

#include <cstdint>
#include <string>

namespace cape::child {

// Empty if `fd`, of `bytes` bytes, can be a plugin; else what is wrong with it.
std::string elf_mistake(int fd, std::uint64_t bytes);

}  // namespace cape::child
