#include "comparison.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include "below.hpp"

namespace files {
namespace {

constexpr std::size_t commit_events = 2'000;
constexpr std::size_t path_bytes_max = 4'096;
constexpr int links_looked_at_max = 16;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> names_on_disk(int directory) {
  const int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDirectory> open(own < 0 ? nullptr : ::fdopendir(own));
  if (!open) throw std::system_error(errno, std::generic_category(), "listing of a directory");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(open.get());
    if (entry == nullptr) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  }
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "listing of a directory");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Exclusions::Exclusions(std::set<std::string> ignored, const std::string& state_dir, const std::string& domain)
    : ignored_(std::move(ignored)), state_below_("/state/domain/" + domain) {
  struct stat own = {};
  if (::stat(state_dir.c_str(), &own) != 0)
    throw std::system_error(errno, std::generic_category(), "stat of " + state_dir);
  device_ = own.st_dev;
  inode_ = own.st_ino;
}

bool Exclusions::holds(int directory, const std::string& name, const Facts& facts) const {
  if (ignored_.count(name) != 0) return true;
  if (!facts.is_directory()) return false;
  const auto is_own = [&](const std::string& path) {
    struct stat found = {};
    return ::fstatat(directory, path.c_str(), &found, 0) == 0 && found.st_dev == device_ &&
           found.st_ino == inode_;
  };
  return is_own(name + state_below_) || is_own(name);
}

void Comparison::look_at(DirectoryId parent, const Hints::Names& names) {
  if (!p_.directories.has(parent)) return;
  const files_below::Fd directory = files_below::open_directory(p_.root, p_.directories.path(parent));
  if (!directory) return;  // it has gone, or moved: where it turns up all of it is looked at
  for (const auto& [name, moved] : names) look_at_name(directory.get(), {parent, name}, moved);
}

void Comparison::look_at_everything() {
  to_look_into_ = {{root_id, true}};
  settle();
}

void Comparison::settle() {
  while (!to_look_into_.empty() && !p_.stopping) {
    const Directory next = to_look_into_.front();
    to_look_into_.pop_front();
    if (p_.directories.has(next.id)) look_into(next);
    p_.between();
  }
  while (!p_.stopping) {
    const std::optional<Key> gone = p_.ledger.any_missing();
    if (!gone) break;
    if (const std::optional<Entry> entry = p_.ledger.find(*gone)) remove(*gone, *entry);
  }
}

void Comparison::look_into(const Directory& next) try {
  const DirectoryId id = next.id;
  const std::string path = p_.directories.path(id);
  if (path.size() > path_bytes_max)
    return p_.say("'" + path + "' is too deep: what lies in it is not journalled");
  const files_below::Fd directory = files_below::open_directory(p_.root, path);
  if (!directory) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return;  // its parent is looked at, too
    throw std::system_error(errno, std::generic_category(), "opening '" + path + "'");
  }
  p_.watches.add(p_.directories, id);  // before the listing: what comes later is told
  const std::vector<std::string> there = names_on_disk(directory.get());
  deep_ = next.deep;
  for (const std::string& name : p_.ledger.names_in(id))
    if (!std::binary_search(there.begin(), there.end(), name))
      look_at_name(directory.get(), {id, name}, false);
  for (const std::string& name : there) look_at_name(directory.get(), {id, name}, false);
  deep_ = false;
} catch (const std::system_error& error) {
  deep_ = false;
  p_.say(std::string(error.what()) + ": what lies there is not journalled; make it readable");
}

void Comparison::look_at_name(int directory, const Key& key, bool moved) try {
  std::optional<Facts> facts = look(directory, key.name);
  if (facts && p_.exclusions.holds(directory, key.name, *facts)) facts.reset();
  const std::optional<Entry> known = p_.ledger.find(key);
  if (!facts && known && !known->missing) p_.ledger.set_missing(key);
  if (facts && known) compare(key, *known, *facts, moved);
  if (facts && !known) appear(key, *facts);
  commit_some();
} catch (const std::system_error& error) {
  // What cannot be told is left as it was.
  p_.say(std::string(error.what()) + " in '" + p_.directories.path(key.parent) + "': it is not journalled");
}

void Comparison::compare(const Key& key, const Entry& known, const Facts& facts, bool moved) {
  const bool same = same_identity(known.facts, facts);
  if (known.facts.kind != facts.kind || (facts.is_directory() && !same)) {
    remove(key, known);
    return appear(key, facts);
  }
  if (facts.is_directory()) return compare_directory(key, known, facts, moved);
  if (!same) {
    if (const auto from = find_moved(key, facts)) return move_file(*from, key, facts, known.sequence);
  }
  const bool same_content = known.facts.inode == facts.inode && known.facts.size == facts.size &&
                            known.facts.mtime_ns == facts.mtime_ns && !is_racy(known.facts);
  if (same_content && known.facts.ctime_ns == facts.ctime_ns) {
    if (known.missing) p_.ledger.put(key, {0, facts, false, known.sequence});
    return;
  }
  const std::string_view type = same_content ? "metadata" : "written";
  const std::int64_t sequence =
      journal({type, p_.directories.path(key), {}, &facts, facts.kind}, known.sequence);
  p_.ledger.put(key, {0, facts, false, sequence});
}

// One that was moved away and back is where it was, with everything in it, but whoever looked in between
// found nothing: all of it is told again. A move changes a directory's ctime and not its mtime; a change in
// it, both.
void Comparison::compare_directory(const Key& key, const Entry& known, const Facts& facts, bool moved) {
  const bool touched = known.facts.ctime_ns != facts.ctime_ns;
  const bool back = moved || (touched && facts.ctime_ns != facts.mtime_ns);
  if (back) tell_again(known.directory);
  if (touched || known.missing) p_.ledger.put(key, {known.directory, facts, false, known.sequence});
  if (deep_ || back || known.missing || p_.directories.watch(known.directory) < 0)
    to_look_into_.push_back({known.directory, true});
}

void Comparison::tell_again(DirectoryId id) {
  std::vector<DirectoryId> left{id};
  while (!left.empty()) {
    const DirectoryId next = left.back();
    left.pop_back();
    for (const std::string& name : p_.ledger.names_in(next)) {
      const Key key{next, name};
      std::optional<Entry> entry = p_.ledger.find(key);
      if (!entry) continue;
      if (entry->directory != 0) {
        left.push_back(entry->directory);
        continue;
      }
      entry->sequence = journal({"metadata", p_.directories.path(key), {}, &entry->facts, entry->facts.kind},
                                entry->sequence);
      p_.ledger.put(key, *entry);
      commit_some();
    }
  }
}

void Comparison::appear(const Key& key, const Facts& facts) {
  if (const auto moved = find_moved(key, facts))
    return facts.is_directory() ? move_directory(*moved, key, facts) : move_file(*moved, key, facts, 0);
  const std::string_view type = facts.is_directory() ? "dir_created" : "created";
  Entry entry{0, facts, false, journal({type, p_.directories.path(key), {}, &facts, facts.kind}, 0)};
  if (facts.is_directory()) {
    entry.directory = p_.directories.next_id();
    p_.directories.add(entry.directory, key);
    to_look_into_.push_back({entry.directory, true});
  }
  p_.ledger.put(key, entry);
}

// The recorded name that what turned up at `key` has left.
std::optional<Recorded> Comparison::find_moved(const Key& key, const Facts& facts) {
  for (Recorded& recorded : p_.ledger.with_inode(facts.inode, links_looked_at_max)) {
    const Entry& entry = recorded.entry;
    if (recorded.key == key || !same_identity(entry.facts, facts)) continue;
    // The record may be older than a move the other way round.
    if (entry.directory != 0 && p_.directories.is_within(key.parent, entry.directory)) continue;
    if (entry.missing || has_left(recorded)) return std::move(recorded);
  }
  return std::nullopt;
}

bool Comparison::has_left(const Recorded& recorded) {
  const files_below::Fd parent =
      files_below::open_directory(p_.root, p_.directories.path(recorded.key.parent));
  if (!parent) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
  const std::optional<Facts> now = look(parent.get(), recorded.key.name);
  return !now || !same_identity(*now, recorded.entry.facts);
}

std::int64_t Comparison::journal_move(const Entry& entry, const std::string& from, const std::string& to) {
  const bool directory = entry.directory != 0;
  const std::uint32_t kind = entry.facts.kind;
  journal({directory ? "dir_renamed_from" : "renamed_from", from, to, nullptr, kind}, entry.sequence);
  return journal({directory ? "dir_renamed_to" : "renamed_to", to, from, &entry.facts, kind}, 0);
}

void Comparison::move_file(const Recorded& from, const Key& to, const Facts& facts, std::int64_t replaces) {
  Entry entry{0, facts, false, from.entry.sequence};
  entry.sequence = journal_move(entry, p_.directories.path(from.key), p_.directories.path(to));
  if (replaces != 0) p_.ledger.supersede(replaces);
  p_.ledger.erase(from.key);
  p_.ledger.put(to, entry);
}

void Comparison::move_directory(const Recorded& from, const Key& to, const Facts& facts) {
  const std::string old_path = p_.directories.path(from.key), new_path = p_.directories.path(to);
  Entry entry{from.entry.directory, facts, false, from.entry.sequence};
  entry.sequence = journal_move(entry, old_path, new_path);
  p_.ledger.erase(from.key);
  p_.ledger.put(to, entry);
  p_.directories.move(entry.directory, to);
  journal_moved(entry.directory, old_path, new_path);
  // What changed in it while its path was not known was told in vain.
  to_look_into_.push_back({entry.directory, true});
}

void Comparison::journal_moved(DirectoryId id, const std::string& from, const std::string& to) {
  struct Pair {
    DirectoryId id;
    std::string from, to;
  };
  std::vector<Pair> left{{id, from, to}};
  while (!left.empty()) {
    const Pair pair = std::move(left.back());
    left.pop_back();
    for (const std::string& name : p_.ledger.names_in(pair.id)) {
      const Key key{pair.id, name};
      std::optional<Entry> entry = p_.ledger.find(key);
      if (!entry) continue;
      const std::string old_path = pair.from + "/" + name, new_path = pair.to + "/" + name;
      entry->sequence = journal_move(*entry, old_path, new_path);
      p_.ledger.put(key, *entry);
      if (entry->directory != 0) left.push_back({entry->directory, old_path, new_path});
    }
  }
}

// From the leaves up, so that whatever was committed when the process ends is a tree, with a part of it gone.
void Comparison::remove(const Key& key, const Entry& entry) {
  std::vector<Recorded> way{{key, entry}};
  while (!way.empty()) {
    if (way.back().entry.directory != 0) {
      if (std::optional<Recorded> inner = p_.ledger.any_in(way.back().entry.directory)) {
        way.push_back(std::move(*inner));
        continue;
      }
    }
    remove_one(way.back().key, way.back().entry);
    way.pop_back();
    commit_some();
  }
}

void Comparison::remove_one(const Key& key, const Entry& entry) {
  const std::string_view type = entry.directory != 0 ? "dir_deleted" : "deleted";
  journal({type, p_.directories.path(key), {}, nullptr, entry.facts.kind}, entry.sequence);
  p_.ledger.erase(key);
  if (entry.directory == 0) return;
  p_.watches.remove(p_.directories, entry.directory);
  p_.directories.remove(entry.directory);
}

std::int64_t Comparison::journal(const Change& change, std::int64_t replaces) {
  return p_.ledger.journal(subject_of(files_below::parent_of(change.path)), change, replaces);
}

void Comparison::commit_some() {
  if (p_.ledger.pending() >= commit_events) p_.commit();
}

}  // namespace files
