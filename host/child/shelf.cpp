#include "host/child/shelf.hpp"

#include <algorithm>
#include <utility>

#include <fcntl.h>

namespace cape::child {
namespace {

// The same bytes under another name: the memory is shared, the name is this file's.
PluginImagePtr named(const PluginImagePtr& image, const fs::path& file, const std::string& signed_by) {
  if (image->file == file.string() && image->signed_by == signed_by) return image;
  UniqueFd memfd{::fcntl(image->memfd.get(), F_DUPFD_CLOEXEC, 0)};
  if (!memfd) return image;  // no descriptor left: the first name will do
  auto renamed = std::make_shared<PluginImage>();
  renamed->memfd = std::move(memfd);
  renamed->file = file.string();
  renamed->hash = image->hash;
  renamed->bytes = image->bytes;
  renamed->id = image->id;
  renamed->version = image->version;
  renamed->kinds = image->kinds;
  renamed->wants = image->wants;
  renamed->abi_minor = image->abi_minor;
  renamed->abi_min_minor = image->abi_min_minor;
  renamed->signed_by = signed_by;
  return renamed;
}

}  // namespace

bool Shelf::put_good(const fs::path& file, const PluginImagePtr& image, const Standing& standing,
                     const std::string& signed_by) {
  Content& content = files_[file];
  const bool was_aside = content.aside.has_value();
  content.aside.reset();
  if (content.image && content.image->hash == image->hash) {  // touched only: it keeps its standing
    const bool other_key = content.image->signed_by != signed_by;
    if (other_key) content.image = named(content.image, file, signed_by);
    return was_aside || other_key;
  }
  PluginImagePtr before = std::exchange(content.image, named(image, file, signed_by));
  content.standing = standing;
  keep(std::move(before));
  std::erase_if(former_, [&](const PluginImagePtr& one) { return one->hash == image->hash; });
  return true;
}

bool Shelf::put_aside(const fs::path& file, wire::SetAside aside, bool for_good) {
  Content& content = files_[file];
  if (content.image && content.image->hash == aside.hash)  // as when its signature went
    aside.reason += "; the same bytes, taken in before, serve on until the next start";
  const bool same =
      content.aside && content.aside->hash == aside.hash && content.aside->reason == aside.reason;
  content.aside = std::move(aside);
  content.aside_for_good = for_good;
  return !same;
}

bool Shelf::remove(const fs::path& file) {
  const auto at = files_.find(file);
  if (at == files_.end()) return false;
  PluginImagePtr before = std::move(at->second.image);
  files_.erase(at);
  keep(std::move(before));
  return true;
}

bool Shelf::has(const std::string& hash) const {
  return std::ranges::any_of(files_, [&](const auto& entry) {
    const PluginImagePtr& image = entry.second.image;
    return image && image->hash == hash;
  });
}

void Shelf::keep(PluginImagePtr image) {
  if (!image || has(image->hash)) return;
  former_.insert(former_.begin(), std::move(image));
  std::size_t of_id = 0, all = 0;
  std::uint64_t bytes = 0;
  std::erase_if(former_, [&, id = former_.front()->id](const PluginImagePtr& one) {
    if (one->id == id && ++of_id > former_of_id_max) return true;
    if (all == former_max || bytes + one->bytes > former_bytes_max) return true;
    ++all;
    bytes += one->bytes;
    return false;
  });
}

std::optional<Shelf::Known> Shelf::known(const std::string& hash) const {
  for (const auto& [file, content] : files_) {
    if (content.image && content.image->hash == hash) return Known{content.image, {}};
    if (content.aside && content.aside_for_good && content.aside->hash == hash)
      return Known{{}, content.aside->reason};
  }
  for (const PluginImagePtr& image : former_)
    if (image->hash == hash) return Known{image, {}};
  return std::nullopt;
}

std::vector<ShelfItem> Shelf::items() const {
  std::vector<ShelfItem> items;
  for (const auto& [file, content] : files_) {
    if (content.image) items.push_back({content.image, content.standing});
  }
  return items;
}

std::vector<PluginImagePtr> Shelf::serving() const {
  return serving_of(items());
}

std::vector<PluginImagePtr> Shelf::available() const {
  std::vector<PluginImagePtr> all = by_standing(items());
  all.insert(all.end(), former_.begin(), former_.end());
  return all;
}

std::vector<wire::SetAside> Shelf::set_aside() const {
  std::vector<wire::SetAside> all;
  for (const auto& [file, content] : files_) {
    if (content.aside) all.push_back(*content.aside);
  }
  return all;
}

std::vector<FileVerdict> Shelf::files() const {
  const std::vector<PluginImagePtr> best = serving();
  std::vector<FileVerdict> all;
  for (const auto& [file, content] : files_) {
    FileVerdict verdict{.file = file, .image = content.image};
    if (content.aside) {
      verdict.state = FileVerdict::State::set_aside;
      verdict.hash = content.aside->hash;
      verdict.reason = content.aside->reason;
    } else {
      verdict.state = std::ranges::find(best, content.image) != best.end() ? FileVerdict::State::serves
                                                                           : FileVerdict::State::stands_by;
    }
    all.push_back(std::move(verdict));
  }
  return all;
}

}  // namespace cape::child
