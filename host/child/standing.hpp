// host/child/standing.hpp
// Which of several files serves an id: the rule. One id may come from several files; the one
// with the highest standing serves, and when it goes the next one does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/child/child_spec.hpp"

namespace cape::child {

// Higher serves. A watched file wins over a built-in one; then the one that became stable last; of those that
// were there at start the highest version, then the newest, then the last by name.
struct Standing {
  bool watched = false;
  std::uint64_t round = 0;  // 0: was there at start; else rises with each file taken in
  std::int64_t modified_ns = 0;
};

struct ShelfItem {
  PluginImagePtr image;
  Standing standing;
};

// By version as people write it: runs of digits as numbers, the rest as text; "1.10" is above "1.9".
// < 0: a is lower; 0: equal; > 0: a is higher.
int compare_versions(std::string_view a, std::string_view b);

// By id, and of one id the highest first.
std::vector<PluginImagePtr> by_standing(std::vector<ShelfItem> items);
// One image for each id, in order of ids.
std::vector<PluginImagePtr> serving_of(std::vector<ShelfItem> items);

}  // namespace cape::child
