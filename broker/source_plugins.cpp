#include "broker/source_plugins.hpp"

#include <algorithm>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace cape::broker {

// A file that was found and refused is told with the reason, which has the next step.
std::string SourcePlugins::missing(const std::string& plugin, const child::Intake& intake) const {
  if (const auto pinned = pins_.troubles().find(plugin); pinned != pins_.troubles().end())
    return pinned->second;
  for (const wire::SetAside& aside : intake.set_aside())
    if (fs::path(aside.file).stem() == plugin) return aside.file + " is set aside: " + aside.reason;
  return "no source plugin '" + plugin + "' was found; put its .so into one of the plugin directories";
}

void SourcePlugins::take(const child::Intake& intake) {
  serving_ = pins_.serving(last_good_.serving(intake.serving()), intake.available());
  for (DomainIndex i = 0; i < links_.size(); ++i) {
    const std::string& id = config_.domains[i].source;
    const auto image =
        std::ranges::find_if(serving_, [&](const auto& s) { return s->id == id && s->is_source(); });
    links_[i].set_image(image == serving_.end() ? nullptr : *image, missing(id, intake));
  }
  write_verdicts(intake);
}

// The last word of each domain on the bytes that it ran.
void SourcePlugins::note_trouble(DomainIndex domain, const SourceLink::Judged& judged) {
  const std::string& name = config_.domains[domain].name;
  for (auto& [hash, of_hash] : troubles_) of_hash.erase(name);
  if (!judged.trouble.empty()) troubles_[judged.hash][name] = judged.trouble;
  std::erase_if(troubles_, [](const auto& of_hash) { return of_hash.second.empty(); });
}

void SourcePlugins::write_verdicts(const child::Intake& intake) {
  std::vector<child::FileVerdict> files = intake.files();
  last_good_.correct(files);
  pins_.correct(files);
  status_files_.update(files, troubles_, wall_ns());
}

void SourcePlugins::judge(const child::Intake& intake) {
  for (DomainIndex i = 0; i < links_.size(); ++i) {
    const std::optional<SourceLink::Judged> judged = links_[i].take_judged();
    if (!judged) continue;
    note_trouble(i, *judged);
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
    write_verdicts(intake);
  }
}

void SourcePlugins::set_pins(std::vector<wire::PluginPin> pins, const child::Intake& intake) {
  pins_.set(std::move(pins));
  take(intake);
}

}  // namespace cape::broker
