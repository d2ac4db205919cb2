// cli/search/search.hpp
// Reading an index that search_index writes, perhaps at this moment. Nothing is changed in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace cape::cli {

struct Match {
  std::string path;     // relative to the root; any bytes
  std::string snippet;  // one line; the words found stand in brackets
};

// The best matches of an FTS5 query first, `limit` at most. not_found: there is no index yet.
Result<std::vector<Match>> search(const fs::path& index, const std::string& query, std::int64_t limit);

}  // namespace cape::cli
