// storage/pin.hpp
// Pin: an operator's word on which bytes of a plugin serve, until it is taken back.
#pragma once

#include <cstdint>
#include <string>

namespace cape::storage {

struct Pin {
  std::string plugin;         // id
  std::string version, hash;  // one of them is empty
  std::int64_t since_wall_ns = 0;
  std::string reason;  // the operator's

  bool operator==(const Pin&) const = default;
};
struct PinWrite {  // replaces the plugin's pin, or takes it away
  Pin pin;
  bool pinned = true;
};

}  // namespace cape::storage
