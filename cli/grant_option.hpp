// cli/grant_option.hpp
// `--grant read=DIR,write=DIR,code=DIR`: what the plugin of a command without a cape.toml may touch.
// Directories are made absolute. Pure but for the current directory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace cape::cli {

// Error::invalid: an item is none of read=DIR, write=DIR, code=DIR, or its directory is not there.
Result<Grant> parse_grant(std::string_view text);

std::vector<std::string> split_at_commas(std::string_view text);

// The text if it is one JSON object, as the plugin's config table.
Result<std::string> parse_settings(std::string_view text);

}  // namespace cape::cli
