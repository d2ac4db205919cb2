#include "host/child/wishes.hpp"

#include <fmt/format.h>

#include "plugin_api/include/cape/plugin.h"

namespace cape::child {
namespace {

std::string missing_grant(const PluginImage& image, const char* wish, const char* grant) {
  return fmt::format("plugin '{}' {} wants {}: write grant = {{ {} }} beside it in cape.toml", image.id,
                     image.version, wish, grant);
}

}  // namespace

std::string role_mistake(const PluginImage& image, ChildKind role, const Grant& grant) {
  const bool is_lambda = role == ChildKind::lambda;
  if ((image.kinds & (is_lambda ? CAPE_KIND_LAMBDA : CAPE_KIND_SOURCE)) == 0) {
    return fmt::format("plugin '{}' is not {}: name another plugin in cape.toml", image.id,
                       is_lambda ? "a lambda" : "an event source");
  }
  const auto wants = [&](std::uint32_t wish) { return (image.wants & wish) != 0; };
  if (wants(CAPE_WANTS_NETWORK) && grant.network.empty())
    return missing_grant(image, "the network", "network = [PORT]");
  if (wants(CAPE_WANTS_STATE) && !grant.state)
    return missing_grant(image, "a state directory", "state = true");
  if (wants(CAPE_WANTS_READ) && grant.read.empty() && is_lambda) {
    return missing_grant(image, "to read files", "read = [\"DIRECTORY\"]");
  }
  if (wants(CAPE_WANTS_WRITE) && grant.write.empty()) {
    return missing_grant(image, "to write files", "write = [\"DIRECTORY\"]");
  }
  return {};
}

bool shares_state(const ManifestReport& manifest) {
  return (manifest.lambda_flags & CAPE_LAMBDA_SHARES_STATE) != 0;
}

}  // namespace cape::child
