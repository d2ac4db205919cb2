#include "cli/client_keys.hpp"

namespace cape::cli {

Result<std::optional<wire::ClientKeys>> client_keys(const Config& config, wire::Role role,
                                                    const std::string& endpoint) {
  if (config.keys_dir.empty() || !endpoint.starts_with("tcp://")) return std::nullopt;
  auto keys = wire::load_client_keys(config.keys_dir, role);
  if (!keys) return std::unexpected(keys.error());
  return *std::move(keys);
}

}  // namespace cape::cli
