// tests/host/images.hpp
// Images of plugins that have a name and no bytes.
#pragma once

#include <memory>
#include <string>

#include "host/child/child_spec.hpp"

namespace cape::test {

inline child::PluginImagePtr image(const std::string& id, const std::string& version, const std::string& hash,
                                   std::uint64_t bytes = 0) {
  auto made = std::make_shared<child::PluginImage>();
  made->id = id;
  made->version = version;
  made->hash = hash;
  made->bytes = bytes;
  made->file = id + ".so";
  return made;
}

}  // namespace cape::test
