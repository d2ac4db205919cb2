#include "broker/source_plugins.hpp"

#include <algorithm>

#include "core/log.hpp"

namespace cape::broker {

std::string SourcePlugins::missing(const std::string& plugin) const {
  if (const auto pinned = pins_.troubles().find(plugin); pinned != pins_.troubles().end())
    return pinned->second;
  return "no source plugin '" + plugin + "' was found; put its .so into one of the plugin directories";
}

void SourcePlugins::take(const child::Intake& intake) {
  serving_ = pins_.serving(last_good_.serving(intake.serving()), intake.available());
  for (DomainIndex i = 0; i < links_.size(); ++i) {
    const std::string& id = config_.domains[i].source;
    const auto image =
        std::ranges::find_if(serving_, [&](const auto& s) { return s->id == id && s->is_source(); });
    links_[i].set_image(image == serving_.end() ? nullptr : *image, missing(id));
  }
}

void SourcePlugins::judge(const child::Intake& intake) {
  for (DomainIndex i = 0; i < links_.size(); ++i) {
    const std::optional<SourceLink::Judged> judged = links_[i].take_judged();
    if (!judged) continue;
    const std::string& id = config_.domains[i].source;
    if (judged->trouble.empty()) {
      last_good_.works(serving_, judged->hash);
    } else if (pins_.is_pinned(id)) {
      log::error(
          "broker",
          "source '{0}' does not work: {1}; it stays, since it is pinned to {2}: `cape plugin unpin {0}`", id,
          judged->trouble, pins_.text(id));
    } else if (last_good_.works_not(serving_, judged->hash, judged->trouble)) {
      take(intake);
      for (const wire::SetAside& aside : last_good_.set_aside())
        if (aside.hash == judged->hash) log::error("broker", "{} is set aside: {}", aside.file, aside.reason);
    }
  }
}

void SourcePlugins::set_pins(std::vector<wire::PluginPin> pins, const child::Intake& intake) {
  pins_.set(std::move(pins));
  take(intake);
}

}  // namespace cape::broker
