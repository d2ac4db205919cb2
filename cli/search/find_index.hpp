// cli/search/find_index.hpp
// Which index `cape search` reads: that of the lambda whose plugin is search_index.
#pragma once

#include <string>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace cape::cli {

// The index file. `wanted`: "TOPOLOGY", "LAMBDA" or "TOPOLOGY/LAMBDA"; empty: there is only one. invalid:
// there is none such, or several; the message lists them.
Result<fs::path> find_index(const Config& config, const std::string& wanted);

}  // namespace cape::cli
