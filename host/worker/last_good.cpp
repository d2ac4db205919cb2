#include "host/worker/last_good.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cape::host {
namespace {

child::PluginImagePtr with_hash(const std::vector<child::PluginImagePtr>& images, const std::string& hash) {
  const auto at = std::ranges::find_if(images, [&](const auto& image) { return image->hash == hash; });
  return at == images.end() ? nullptr : *at;
}

std::string text_of(const std::string& reason, const child::PluginImage& good) {
  return fmt::format("{}; version {} ({}) serves again until the file changes", reason, good.version,
                     good.hash.substr(0, 8));
}

}  // namespace

void LastGood::works(const std::vector<child::PluginImagePtr>& serving, const std::string& hash) {
  if (child::PluginImagePtr image = with_hash(serving, hash)) good_[image->id] = std::move(image);
}

bool LastGood::works_not(const std::vector<child::PluginImagePtr>& serving, const std::string& hash,
                         std::string reason) {
  child::PluginImagePtr image = with_hash(serving, hash);
  if (!image) return false;
  const auto good = good_.find(image->id);
  if (good == good_.end() || good->second->hash == hash) return false;
  bad_[hash] = {.image = std::move(image), .reason = text_of(reason, *good->second)};
  return true;
}

std::vector<child::PluginImagePtr> LastGood::serving(std::vector<child::PluginImagePtr> offered) {
  std::erase_if(bad_, [&](const auto& bad) { return !with_hash(offered, bad.first); });
  std::erase_if(good_, [&](const auto& good) {
    return std::ranges::none_of(offered, [&](const auto& image) { return image->id == good.first; });
  });
  for (child::PluginImagePtr& image : offered)
    if (bad_.contains(image->hash)) image = good_.at(image->id);
  return offered;
}

void LastGood::correct(std::vector<child::FileVerdict>& files) const {
  for (child::FileVerdict& file : files) {
    if (file.state != child::FileVerdict::State::serves) continue;
    const auto bad = bad_.find(file.image->hash);
    if (bad == bad_.end()) continue;
    file.state = child::FileVerdict::State::set_aside;
    file.hash = bad->first;
    file.reason = bad->second.reason;
    file.image = good_.at(bad->second.image->id);
  }
}

std::vector<wire::SetAside> LastGood::set_aside() const {
  std::vector<wire::SetAside> all;
  for (const auto& [hash, bad] : bad_)
    all.push_back({.file = bad.image->file, .hash = hash, .reason = bad.reason});
  return all;
}

}  // namespace cape::host
