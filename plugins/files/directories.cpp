#include "directories.hpp"

namespace files {

Directories::Directories() {
  nodes_[root_id] = Node{};
}

void Directories::add(DirectoryId id, const Key& key) {
  nodes_[id].key = key;
}

void Directories::move(DirectoryId id, const Key& key) {
  nodes_.at(id).key = key;
}

void Directories::remove(DirectoryId id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return;
  if (found->second.watch >= 0) by_watch_.erase(found->second.watch);
  nodes_.erase(found);
}

std::string Directories::path(DirectoryId id) const {
  std::string path;
  while (id != root_id) {
    const Key& key = nodes_.at(id).key;
    path = path.empty() ? key.name : key.name + "/" + path;
    id = key.parent;
  }
  return path;
}

std::string Directories::path(const Key& key) const {
  const std::string parent = path(key.parent);
  return parent.empty() ? key.name : parent + "/" + key.name;
}

bool Directories::is_within(DirectoryId id, DirectoryId top) const {
  while (id != top) {
    if (id == root_id) return false;
    id = nodes_.at(id).key.parent;
  }
  return true;
}

void Directories::set_watch(DirectoryId id, int watch) {
  if (const DirectoryId before = watched(watch); before != 0 && before != id) nodes_.at(before).watch = -1;
  Node& node = nodes_.at(id);
  if (node.watch >= 0 && node.watch != watch) by_watch_.erase(node.watch);
  node.watch = watch;
  by_watch_[watch] = id;
}

int Directories::watch(DirectoryId id) const {
  return nodes_.at(id).watch;
}

DirectoryId Directories::watched(int watch) const {
  const auto found = by_watch_.find(watch);
  return found == by_watch_.end() ? 0 : found->second;
}

void Directories::lose_watch(int watch) {
  if (const DirectoryId id = watched(watch); id != 0) nodes_.at(id).watch = -1;
  by_watch_.erase(watch);
}

}  // namespace files
