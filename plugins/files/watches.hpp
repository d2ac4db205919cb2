// plugins/files/watches.hpp
// Watches is one inotify instance: which directories it watches and what it tells, turned into hints. Nothing
// it says is believed: a hint only says where to look. Where the kernel refuses, it says why and which sysctl
// helps; the caller then compares the tree from time to time instead.
// Thread: one at a time. Never blocks.
#pragma once

#include <functional>
#include <string>

#include "directories.hpp"
#include "fd.hpp"
#include "hints.hpp"

namespace files {

class Watches {
 public:
  // `root`: absolute path. `say` hears, once, why something is not watched.
  Watches(std::string root, std::function<void(const std::string&)> say);

  int fd() const { return inotify_.get(); }  // -1: there is no inotify

  // Everything is about to be added again.
  void begin_again();
  // False: since then the kernel has refused some.
  bool complete() const { return complete_; }

  void add(Directories& directories, DirectoryId id);
  void remove(Directories& directories, DirectoryId id);
  // Reads what is there. False: the root itself was moved or deleted.
  bool read(Directories& directories, Hints& hints, std::int64_t now_ns);

 private:
  void complain(int error, const std::string& path);

  std::string root_;
  std::function<void(const std::string&)> say_;
  files_below::Fd inotify_;
  bool complete_ = true;
  int complained_about_ = 0;  // errno
};

}  // namespace files
