// host/child/pins.hpp
// Pins is an operator's word on which bytes of a plugin serve: it wins over what lies in the directories and
// over every judgement of ours. It keeps the bytes it names for as long as it stands, even if their file
// goes. Pure. Thread: its owner's loop.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/child/intake.hpp"
#include "wire/messages.hpp"

namespace cape::child {

class Pins {
 public:
  void set(std::vector<wire::PluginPin> pins);

  // What serves: the pinned bytes of a plugin where there is a pin, else what `by_rule` has. `available`:
  // every good image there is, those that stand highest first. Where no bytes are as the pin wants them,
  // nothing serves of that plugin and troubles() says so.
  std::vector<PluginImagePtr> serving(std::vector<PluginImagePtr> by_rule,
                                      const std::vector<PluginImagePtr>& available);
  const std::map<std::string, std::string>& troubles() const { return troubles_; }  // by plugin
  // What is told of each file: with a pin, which of them serves.
  void correct(std::vector<FileVerdict>& files) const;
  bool is_pinned(const std::string& plugin) const { return pins_.contains(plugin); }
  // "version 1.0" or "hash 0123abcd"; empty: it is not pinned.
  std::string text(const std::string& plugin) const;

 private:
  struct Held {
    wire::PluginPin pin;
    PluginImagePtr image;  // null: not seen since it was pinned
  };
  std::map<std::string, Held> pins_;  // by plugin
  std::map<std::string, std::string> troubles_;
};

}  // namespace cape::child
