// Setup::kind beyond ChildKind.
#pragma once

#include <cstdint>

namespace cape::child {

inline constexpr std::uint8_t setup_kind_probe = 255;  // no plugin: tries to escape and reports the level

}  // namespace cape::child
