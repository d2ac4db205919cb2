#include "host/child/pins.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/types.hpp"

namespace cape::child {
namespace {

bool fits(const wire::PluginPin& pin, const PluginImage& image) {
  if (image.id != pin.plugin) return false;
  return pin.hash.empty() ? image.version == pin.version : image.hash == pin.hash;
}

std::string text_of(const wire::PluginPin& pin) {
  return pin.hash.empty() ? "version " + printable(pin.version, 64) : "hash " + pin.hash.substr(0, 12);
}

}  // namespace

void Pins::set(std::vector<wire::PluginPin> pins) {
  std::map<std::string, Held> held;
  for (wire::PluginPin& pin : pins) {
    const auto old = pins_.find(pin.plugin);
    const bool same =
        old != pins_.end() && old->second.pin.version == pin.version && old->second.pin.hash == pin.hash;
    std::string plugin = pin.plugin;
    held[std::move(plugin)] = {.pin = std::move(pin), .image = same ? old->second.image : nullptr};
  }
  pins_ = std::move(held);
}

std::vector<PluginImagePtr> Pins::serving(std::vector<PluginImagePtr> by_rule,
                                          const std::vector<PluginImagePtr>& available) {
  troubles_.clear();
  std::erase_if(by_rule, [&](const PluginImagePtr& image) { return pins_.contains(image->id); });
  for (auto& [plugin, held] : pins_) {
    const auto at =
        std::ranges::find_if(available, [&](const auto& image) { return fits(held.pin, *image); });
    // Two files may carry one version: the one that a pin took first stays, so that nothing changes by
    // itself.
    if (at != available.end() && !held.image) held.image = *at;
    if (held.image)
      by_rule.push_back(held.image);
    else
      troubles_[plugin] = fmt::format(
          "plugin '{0}' is pinned to {1}, which no plugin directory has here: copy that .so into one, or "
          "`cape plugin unpin {0}`",
          plugin, text_of(held.pin));
  }
  std::ranges::sort(by_rule, {}, [](const PluginImagePtr& image) { return image->id; });
  return by_rule;
}

void Pins::correct(std::vector<FileVerdict>& files) const {
  for (FileVerdict& file : files) {
    if (!file.image) continue;
    const auto pinned = pins_.find(file.image->id);
    if (pinned == pins_.end()) continue;
    const PluginImagePtr& image = pinned->second.image;
    if (file.state == FileVerdict::State::set_aside) {
      if (!image || image->hash != file.hash) continue;
      file.image = image;  // it was found wanting, and serves all the same
      file.reason.clear();
    }
    file.state =
        image && image->hash == file.image->hash ? FileVerdict::State::serves : FileVerdict::State::stands_by;
  }
}

std::string Pins::text(const std::string& plugin) const {
  const auto at = pins_.find(plugin);
  return at == pins_.end() ? std::string() : text_of(at->second.pin);
}

}  // namespace cape::child
