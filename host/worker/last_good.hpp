// host/worker/last_good.hpp
// LastGood keeps, of each plugin, the bytes with which an event succeeded last, and brings them back when
// newer ones turn out not to work: what was dropped stays on disk and is set aside until the file changes. In
// memory alone: after a start the newest bytes are tried again. A change of version is a change of bytes like
// any other, so order holds over it. Thread: the host loop.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/child/intake.hpp"

namespace cape::host {

class LastGood {
 public:
  void works(const std::vector<child::PluginImagePtr>& serving, const std::string& hash);
  // True: there are older bytes to go back to, and serving() is another one now.
  bool works_not(const std::vector<child::PluginImagePtr>& serving, const std::string& hash,
                 std::string reason);

  // `offered` is what the directories have: what came back stands in for what does not work.
  std::vector<child::PluginImagePtr> serving(std::vector<child::PluginImagePtr> offered);
  // The same of what is told of each file.
  void correct(std::vector<child::FileVerdict>& files) const;
  std::vector<wire::SetAside> set_aside() const;

 private:
  struct Bad {
    child::PluginImagePtr image;
    std::string reason;
  };
  std::map<std::string, child::PluginImagePtr> good_;  // by plugin id
  std::map<std::string, Bad> bad_;                     // by hash, of bytes that a directory has
};

}  // namespace cape::host
