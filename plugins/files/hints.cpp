#include "hints.hpp"

#include <algorithm>

namespace files {

void Hints::add(const Key& key, const Hint& hint) {
  if (all_) return;
  const auto [at, is_new] = names_[key.parent].emplace(key.name, hint);
  at->second.due_ns = std::min(at->second.due_ns, hint.due_ns);
  at->second.moved |= hint.moved;
  if (is_new && ++size_ > names_max) compare_all();
}

std::optional<std::int64_t> Hints::next_due_ns() const {
  std::optional<std::int64_t> next;
  for (const auto& [directory, names] : names_)
    for (const auto& [name, hint] : names) next = next ? std::min(*next, hint.due_ns) : hint.due_ns;
  return next;
}

std::map<DirectoryId, Hints::Names> Hints::take(std::int64_t now_ns) {
  std::map<DirectoryId, Names> due;
  for (auto directory = names_.begin(); directory != names_.end();) {
    auto& names = directory->second;
    for (auto name = names.begin(); name != names.end();) {
      if (name->second.due_ns > now_ns) {
        ++name;
        continue;
      }
      due[directory->first][name->first] = name->second.moved;
      name = names.erase(name);
      --size_;
    }
    directory = names.empty() ? names_.erase(directory) : std::next(directory);
  }
  return due;
}

}  // namespace files
