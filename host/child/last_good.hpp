// host/child/last_good.hpp
// LastGood keeps, of each plugin, the bytes that worked last, and brings them back when newer ones turn out
// not to work: what was dropped stays on disk and is set aside until the file changes. Bytes may also work at
// first and then be found wanting (slower by far): those that worked before them come back. In memory alone:
// after a start the newest bytes are tried again. A change of version is a change of bytes like any other, so
// order holds over it. Holds at most `kept_max` images of each plugin. Thread: its owner's loop.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "host/child/intake.hpp"

namespace cape::child {

class LastGood {
 public:
  static constexpr std::size_t kept_max = 3;

  void works(const std::vector<PluginImagePtr>& serving, const std::string& hash);
  // True: there are older bytes to go back to, and serving() is another one now.
  bool works_not(const std::vector<PluginImagePtr>& serving, const std::string& hash, std::string reason);

  // `offered` is what the directories have: what came back stands in for what does not work.
  std::vector<PluginImagePtr> serving(std::vector<PluginImagePtr> offered);
  // The same of what is told of each file.
  void correct(std::vector<FileVerdict>& files) const;
  std::vector<wire::SetAside> set_aside() const;
  // These bytes were found wanting, and no file has them any more: nobody need be told of them.
  bool is_former_bad(const std::string& hash) const;

 private:
  static constexpr std::size_t former_bad_max = 64;  // intake keeps no more bytes than that without a file

  struct Bad {
    PluginImagePtr image;
    std::string reason;
  };
  std::map<std::string, std::vector<PluginImagePtr>> good_;  // by plugin id; newest first, never empty
  std::map<std::string, Bad> bad_;                           // by hash, of bytes that a directory has
  std::deque<std::string> former_bad_;                       // hashes, the oldest first
};

}  // namespace cape::child
