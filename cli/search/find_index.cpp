#include "cli/search/find_index.hpp"

#include <fmt/format.h>

#include <vector>

namespace cape::cli {
namespace {

constexpr const char* plugin_id = "search_index";
constexpr const char* index_file = "index.db";

struct Found {
  std::string name;  // TOPOLOGY/LAMBDA
  fs::path file;
};

std::string names_of(const std::vector<Found>& all) {
  std::string names;
  for (const Found& found : all) names += (names.empty() ? "" : ", ") + found.name;
  return names;
}

}  // namespace

Result<fs::path> find_index(const Config& config, const std::string& wanted) {
  std::vector<Found> all, meant;
  for (const TopologyConfig& topology : config.topologies)
    for (const LambdaConfig& lambda : topology.lambdas) {
      if (lambda.plugin != plugin_id) continue;
      Found found{topology.name + "/" + lambda.name, config.state_dir(topology, lambda) / index_file};
      if (wanted.empty() || wanted == topology.name || wanted == lambda.name || wanted == found.name)
        meant.push_back(found);
      all.push_back(std::move(found));
    }
  if (meant.size() == 1) return meant[0].file;
  const std::string file = printable(config.file.string(), 300);
  if (all.empty())
    return fail(ErrorCode::invalid,
                fmt::format("no lambda in {} has plugin = \"{}\"; docs/operations.md shows how to add one",
                            file, plugin_id));
  if (meant.empty())
    return fail(ErrorCode::invalid,
                fmt::format("{} has no index '{}'; it has: {}", file, printable(wanted, 100), names_of(all)));
  return fail(ErrorCode::invalid,
              fmt::format("{} has several indexes; choose one with --index: {}", file, names_of(meant)));
}

}  // namespace cape::cli
