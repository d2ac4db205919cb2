// plugins/files/directories.hpp
// Directories is the recorded tree's skeleton in memory: which directory lies in which, and which inotify
// watch belongs to it. About 150 bytes a directory, less than what the kernel needs for its watch. Files are
// on disk only. Thread: one at a time.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "ledger.hpp"

namespace files {

class Directories {
 public:
  Directories();

  void add(DirectoryId id, const Key& key);
  void move(DirectoryId id, const Key& key);
  void remove(DirectoryId id);
  bool has(DirectoryId id) const { return nodes_.count(id) != 0; }
  std::string path(DirectoryId id) const;                 // relative to the root, "" for it
  std::string path(const Key& key) const;                 // of a name in it
  bool is_within(DirectoryId id, DirectoryId top) const;  // or the same
  DirectoryId next_id() { return ++highest_; }
  void set_highest(DirectoryId id) { highest_ = id; }

  void set_watch(DirectoryId id, int watch);
  int watch(DirectoryId id) const;       // -1: none
  DirectoryId watched(int watch) const;  // 0: no directory of ours
  void lose_watch(int watch);            // the kernel has ended it

 private:
  struct Node {
    Key key;
    int watch = -1;
  };
  std::unordered_map<DirectoryId, Node> nodes_;
  std::unordered_map<int, DirectoryId> by_watch_;
  DirectoryId highest_ = root_id;
};

}  // namespace files
