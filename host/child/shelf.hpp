// host/child/shelf.hpp
// Shelf is what intake knows of the content of each file: its last good bytes, and what is wrong with its
// newest ones. From that follows which image serves each id. Good bytes that were replaced or removed are
// kept for a while, so that a pin or a rollback finds them. No I/O but duplicating descriptors. Thread: one.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/config/config.hpp"
#include "host/child/intake.hpp"
#include "host/child/standing.hpp"
#include "wire/messages.hpp"

namespace cape::child {

class Shelf {
 public:
  // Of bytes that no file has any more: the newest so many of each id and in all, and no more bytes than
  // these.
  static constexpr std::size_t former_of_id_max = 2, former_max = 64;
  static constexpr std::uint64_t former_bytes_max = 256u << 20;

  // Each returns true if serving() or set_aside() is another one now.
  // `signed_by`: of this file; `image` may have been taken in under another name.
  bool put_good(const fs::path& file, const PluginImagePtr& image, const Standing& standing,
                const std::string& signed_by = {});
  // `for_good`: the file is at fault, so the same bytes need no second look. Its last good bytes stay.
  bool put_aside(const fs::path& file, wire::SetAside aside, bool for_good);
  bool remove(const fs::path& file);

 struct Known {
   PluginImagePtr image;  // null: set aside for `reason`
   std::string reason;
  };
  // What earlier looks found out about these bytes.
  std::optional<Known> known(const std::string& hash) const;

  std::vector<PluginImagePtr> serving() const;
  // Everything that could serve: good bytes of files, by id and those that stand highest first; then former
  // ones, the newest first.
  std::vector<PluginImagePtr> available() const;
  std::vector<wire::SetAside> set_aside() const;
  std::vector<FileVerdict> files() const;  // `watched` is left to the owner

 private:
  struct Content {
    PluginImagePtr image;  // null: none was good yet
    Standing standing;     // of the image
    std::optional<wire::SetAside> aside;
    bool aside_for_good = false;
  };
  std::vector<ShelfItem> items() const;
  bool has(const std::string& hash) const;
  void keep(PluginImagePtr image);

  std::map<fs::path, Content> files_;
  std::vector<PluginImagePtr> former_;  // newest first; none that a file has
};

}  // namespace cape::child
