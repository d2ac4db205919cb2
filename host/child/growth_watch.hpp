// host/child/growth_watch.hpp
// GrowthWatch tells of a child that leaks while it still works, and not when its memory is used up. What a
// child has from its start another one would have as well: only one that has grown since is to be replaced.
// Pure.
#pragma once

#include <cstdint>
#include <string>

namespace cape::child {

class GrowthWatch {
 public:
  // `most`: limits.recycle. Why another child shall take its place; empty: none shall.
  std::string look(std::uint64_t resident_bytes, std::uint64_t most);

 private:
  std::uint64_t first_bytes_ = 0;  // when it was first looked at; 0: not yet
};

}  // namespace cape::child
