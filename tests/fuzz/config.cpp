// cape.toml: a config or at least one mistake that can be shown, whatever stands in the file.
#include <cstddef>
#include <cstdint>

#include "core/config/config.hpp"
#include "core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cape::fs::path file = "/srv/cape/cape.toml";
  const auto config = cape::parse_config({reinterpret_cast<const char*>(data), size}, file);
  if (!config) {
    CAPE_CHECK(!config.error().empty());
    CAPE_CHECK(!cape::to_text(config.error(), file).empty());
    return 0;
  }
  for (const cape::TopologyConfig& topology : config->topologies) {
    CAPE_CHECK(topology.domain < config->domains.size());
    CAPE_CHECK(topology.retry.first_ms > 0 && topology.retry.max_ms >= topology.retry.first_ms);
  }
  return 0;
}
