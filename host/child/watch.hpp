// host/child/watch.hpp
// DirectoryWatch tells which names in some directories may have changed (inotify). It is a hint only: events
// can be lost, and network file systems send none, so its owner looks at everything now and then.
// Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/unique_fd.hpp"

namespace cape::child {

class DirectoryWatch {
public:
  static Result<DirectoryWatch> make();

  // Watches `dir`; again for one already watched is harmless, and needed after it was removed and made anew.
  Result<void> add(const fs::path& dir);

  struct Changes {
    std::vector<fs::path> touched;  // may hold a path more than once
    bool lost = false;              // events were dropped or a directory went: look at everything
  };
  // What happened since, at most one buffer of it: fd() stays readable when there is more. Never blocks.
  Changes read();
  int fd() const { return inotify_.get(); }

private:
  explicit DirectoryWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}

  UniqueFd inotify_;
  std::map<int, fs::path> dirs_;  // by watch descriptor
};

}  // namespace cape::child
