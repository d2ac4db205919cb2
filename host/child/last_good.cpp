#include "host/child/last_good.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cape::child {
namespace {

PluginImagePtr with_hash(const std::vector<PluginImagePtr>& images, const std::string& hash) {
  const auto at = std::ranges::find_if(images, [&](const auto& image) { return image->hash == hash; });
  return at == images.end() ? nullptr : *at;
}

std::string text_of(const std::string& reason, const PluginImage& good) {
  return fmt::format("{}; version {} ({}) serves again until the file changes", reason, good.version,
                     good.hash.substr(0, 8));
}

}  // namespace

void LastGood::works(const std::vector<PluginImagePtr>& serving, const std::string& hash) {
  PluginImagePtr image = with_hash(serving, hash);
  if (!image) return;
  std::vector<PluginImagePtr>& good = good_[image->id];
  std::erase_if(good, [&](const PluginImagePtr& one) { return one->hash == hash; });
  good.insert(good.begin(), std::move(image));
  if (good.size() > kept_max) good.pop_back();
}

bool LastGood::works_not(const std::vector<PluginImagePtr>& serving, const std::string& hash,
                         std::string reason) {
  PluginImagePtr image = with_hash(serving, hash);
  if (!image) return false;
  const auto found = good_.find(image->id);
  if (found == good_.end()) return false;
  std::vector<PluginImagePtr>& good = found->second;
  const auto is_it = [&](const PluginImagePtr& one) { return one->hash == hash; };
  if (std::ranges::all_of(good, is_it)) return false;  // nothing else to go back to
  std::erase_if(good, is_it);
  bad_[hash] = {.image = std::move(image), .reason = std::move(reason)};
  return true;
}

std::vector<PluginImagePtr> LastGood::serving(std::vector<PluginImagePtr> offered) {
  std::erase_if(former_bad_, [&](const std::string& hash) { return with_hash(offered, hash) != nullptr; });
  std::erase_if(bad_, [&](const auto& bad) {
    if (with_hash(offered, bad.first)) return false;
    former_bad_.push_back(bad.first);
    return true;
  });
  while (former_bad_.size() > former_bad_max) former_bad_.pop_front();
  std::erase_if(good_, [&](const auto& good) {
    return std::ranges::none_of(offered, [&](const auto& image) { return image->id == good.first; });
  });
  for (PluginImagePtr& image : offered)
    if (bad_.contains(image->hash)) image = good_.at(image->id).front();
  return offered;
}

bool LastGood::is_former_bad(const std::string& hash) const {
  return std::ranges::find(former_bad_, hash) != former_bad_.end();
}

void LastGood::correct(std::vector<FileVerdict>& files) const {
  for (FileVerdict& file : files) {
    if (file.state != FileVerdict::State::serves) continue;
    const auto bad = bad_.find(file.image->hash);
    if (bad == bad_.end()) continue;
    file.state = FileVerdict::State::set_aside;
    file.hash = bad->first;
    file.image = good_.at(bad->second.image->id).front();
    file.reason = text_of(bad->second.reason, *file.image);
  }
}

std::vector<wire::SetAside> LastGood::set_aside() const {
  std::vector<wire::SetAside> all;
  for (const auto& [hash, bad] : bad_)
    all.push_back({.file = bad.image->file,
                   .hash = hash,
                   .reason = text_of(bad.reason, *good_.at(bad.image->id).front())});
  return all;
}

}  // namespace cape::child
