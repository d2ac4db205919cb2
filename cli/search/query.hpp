// cli/search/query.hpp
// What a person types, as a query of FTS5: every word has to be in a file; one that ends in '*' may go on.
// Whatever else has a meaning to FTS5 is taken literally. Pure.
#pragma once

#include <string>
#include <string_view>

namespace cape::cli {

// Empty: there is no word in it.
std::string fts_query(std::string_view typed);

}  // namespace cape::cli
