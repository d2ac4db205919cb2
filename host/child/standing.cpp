#include "host/child/standing.hpp"

#include <algorithm>
#include <tuple>

namespace cape::child {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts the leading run of digits, or of anything else, off `text`.
std::string_view cut_run(std::string_view& text) {
  std::size_t length = 1;
  while (length < text.size() && is_digit(text[length]) == is_digit(text[0])) ++length;
  const std::string_view run = text.substr(0, length);
  text.remove_prefix(length);
  return run;
}

int compare_runs(std::string_view a, std::string_view b) {
  if (!is_digit(a[0]) || !is_digit(b[0])) return a.compare(b);
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

bool stands_higher(const ShelfItem& a, const ShelfItem& b) {
  const Standing& x = a.standing;
  const Standing& y = b.standing;
  if (x.watched != y.watched) return x.watched;
  if (x.round != y.round) return x.round > y.round;
  if (const int order = compare_versions(a.image->version, b.image->version); order != 0) return order > 0;
  return std::tie(x.modified_ns, a.image->file) > std::tie(y.modified_ns, b.image->file);
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (const int order = compare_runs(cut_run(a), cut_run(b)); order != 0) return order;
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

std::vector<PluginImagePtr> by_standing(std::vector<ShelfItem> items) {
  std::ranges::sort(items, [](const ShelfItem& a, const ShelfItem& b) {
    return a.image->id != b.image->id ? a.image->id < b.image->id : stands_higher(a, b);
  });
  std::vector<PluginImagePtr> images;
  for (ShelfItem& item : items) images.push_back(std::move(item.image));
  return images;
}

std::vector<PluginImagePtr> serving_of(std::vector<ShelfItem> items) {
  std::vector<PluginImagePtr> serving = by_standing(std::move(items));
  const auto same_id = [](const PluginImagePtr& a, const PluginImagePtr& b) { return a->id == b->id; };
  serving.erase(std::unique(serving.begin(), serving.end(), same_id), serving.end());
  return serving;
}

}  // namespace cape::child
