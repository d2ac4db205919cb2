// host/child/wish_names.hpp
// What a manifest may wish for, by name, and whether a grant gives it. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "core/config/config.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::child {

struct Wish {
  std::uint32_t bit;  // of PluginImage::wants
  const char* name;
};
inline constexpr std::array all_wishes = {Wish{CAPE_WANTS_STATE, "state"}, Wish{CAPE_WANTS_READ, "read"},
                                          Wish{CAPE_WANTS_WRITE, "write"},
                                          Wish{CAPE_WANTS_NETWORK, "network"}};

inline bool is_granted(const Grant& grant, std::uint32_t wish) {
  if (wish == CAPE_WANTS_STATE) return grant.state;
  if (wish == CAPE_WANTS_READ) return !grant.read.empty();
  if (wish == CAPE_WANTS_WRITE) return !grant.write.empty();
  return wish == CAPE_WANTS_NETWORK && !grant.network.empty();
}

}  // namespace cape::child
