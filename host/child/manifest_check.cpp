#include <fmt/format.h>

#include "host/child/inspector.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::child {
namespace {

constexpr std::size_t version_bytes_max = sizeof(cape_note::version) - 1;

std::string abi_mistake(const ManifestReport& manifest) {
  const bool major_differs = manifest.abi_major != CAPE_ABI_MAJOR;
  if (!major_differs && manifest.abi_min_minor <= CAPE_ABI_MINOR) return {};
  return fmt::format(
      "plugin '{}' {} needs ABI {}.{}, this host offers {}.{}: upgrade Cape or rebuild the plugin{}",
      manifest.id, manifest.version, manifest.abi_major, manifest.abi_min_minor, CAPE_ABI_MAJOR,
      CAPE_ABI_MINOR, major_differs ? "" : " with a lower CAPE_ABI_MIN_MINOR");
}

}  // namespace

std::string manifest_mistake(const ManifestReport& manifest) {
  if (!is_name(manifest.id)) {
    return fmt::format(
        "its id '{}' is not a name (a-z, then a-z, 0-9 and _, at most 63 bytes); correct CAPE_MANIFEST",
        printable(manifest.id, 80));
  }
  const std::string& version = manifest.version;
  if (version.empty() || version.size() > version_bytes_max ||
      printable(version, version.size()) != version) {
    return fmt::format("the version of '{}' must be 1 to {} printable bytes; correct CAPE_MANIFEST",
                       manifest.id, version_bytes_max);
  }
  constexpr std::uint32_t known_kinds = CAPE_KIND_LAMBDA | CAPE_KIND_SOURCE;
  if (manifest.kinds == 0 || (manifest.kinds & ~known_kinds) != 0) {
    return fmt::format("'{}' says it is of kinds {:#x}; this host knows lambda (1) and source (2)",
                       manifest.id, manifest.kinds);
  }
  return abi_mistake(manifest);
}

}  // namespace cape::child
