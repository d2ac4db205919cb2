#include "host/child/intake.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <limits>
#include <map>
#include <set>

#include "core/log.hpp"
#include "host/child/settling.hpp"
#include "host/child/shelf.hpp"
#include "host/child/taking.hpp"
#include "host/child/watch.hpp"

namespace cape::child {
namespace {

// Network file systems send no events, and a queue can overflow: look at everything this often.
constexpr std::int64_t walk_every_ns = 5 * ns_per_s;
constexpr std::int64_t retry_after_ns = 5 * ns_per_s;  // when the surroundings failed, not the file
constexpr std::size_t files_max = 4096;                // more plugin files than this are not looked at
constexpr std::size_t takings_max = 4;                 // files on their way in at a time; others queue

class FileIntake final : public Intake {
public:
  FileIntake(IntakeOptions options, IntakePorts ports, DirectoryWatch watch, UniqueFd epoll)
      : options_(std::move(options)),
        ports_(std::move(ports)),
        watch_(std::move(watch)),
        epoll_(std::move(epoll)),
        settling_(options_.still_ms * ns_per_ms) {}

  void begin();

  int fd() const override { return epoll_.get(); }
  std::int64_t next_step_boot_ns() const override;
  bool step() override;
  std::vector<PluginImagePtr> serving() const override { return serving_; }
  std::vector<PluginImagePtr> available() const override { return shelf_.available(); }
  std::vector<wire::SetAside> set_aside() const override { return shelf_.set_aside(); }
  std::vector<FileVerdict> files() const override;
  bool settled() const override { return unsettled_.empty(); }

private:
  bool is_watched(const fs::path& path) const;
  FileMark mark_of(const fs::path& path) const;
  void watch_dirs();
  void list(const fs::path& dir, std::set<fs::path>& found);
  void walk();
  void look(const fs::path& path);
  void act_on(const fs::path& path, Settling::Seen seen);
  void forget(const fs::path& path);
  void drop_taking(const fs::path& path);
  void start_takings();
  void step_taking(const fs::path& path, Taking& taking);
  void settle_or_inspect(const fs::path& path, Taking& taking);
  bool is_inspected_now(const std::string& hash) const;
  void shelve(const fs::path& path, const TakingVerdict& verdict);

  IntakeOptions options_;
  IntakePorts ports_;
  DirectoryWatch watch_;
  UniqueFd epoll_;
  Settling settling_;
  std::int64_t now_ns_ = 0;  // of the current step
  std::int64_t next_walk_ns_ = 0;
  std::deque<fs::path> wanted_;  // still, waiting for a free place
  std::map<fs::path, Taking> takings_;
  Shelf shelf_;
  std::set<fs::path> unsettled_;  // there at start, no verdict yet
  std::uint64_t round_ = 0;
  bool changed_ = false, too_many_said_ = false;
  std::vector<PluginImagePtr> serving_;
};

void FileIntake::begin() {
  watch_dirs();
  const Now now = ports_.clock->now();
  next_walk_ns_ = now.boot_ns + walk_every_ns;
  std::set<fs::path> found;
  for (const fs::path& dir : options_.dirs) list(dir, found);
  for (const fs::path& dir : options_.builtin_dirs) list(dir, found);
  for (const fs::path& path : found) {
    const FileMark mark = mark_of(path);
    if (!mark.present) continue;
    unsettled_.insert(path);
    act_on(path, settling_.saw_at_start(path, mark, now));
  }
}

std::vector<FileVerdict> FileIntake::files() const {
  std::vector<FileVerdict> all = shelf_.files();
  for (FileVerdict& verdict : all) verdict.watched = is_watched(verdict.file);
  return all;
}

bool FileIntake::is_watched(const fs::path& path) const {
  return std::ranges::find(options_.dirs, path.parent_path()) != options_.dirs.end();
}

FileMark FileIntake::mark_of(const fs::path& path) const {
  return options_.signatures.asked() && is_watched(path) ? look_at_signed(path) : look_at(path);
}

void FileIntake::watch_dirs() {
  for (const fs::path& dir : options_.dirs) {
    if (const Result<void> added = watch_.add(dir); !added) {
      log::warning("host", "{}; it is looked at every {} s instead", added.error().message,
                   walk_every_ns / ns_per_s);
    }
  }
}

void FileIntake::list(const fs::path& dir, std::set<fs::path>& found) {
  std::error_code error;
  for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (!is_plugin_name(path.filename().native())) continue;
    if (found.size() < files_max) {
      found.insert(path);
    } else if (!std::exchange(too_many_said_, true)) {
      log::warning("host", "more than {} plugin files in {}: the rest is not looked at", files_max,
                   dir.string());
    }
  }
  if (!error) return;
  // Unreadable is not empty: what serves goes on serving until the directory can be read again.
  log::warning("host", "cannot read the plugin directory {}: {}", dir.string(), error.message());
  for (fs::path& path : settling_.known_in(dir)) found.insert(std::move(path));
}

void FileIntake::walk() {
  next_walk_ns_ = now_ns_ + walk_every_ns;
  for (const fs::path& dir : options_.dirs) {
    std::set<fs::path> found;
    list(dir, found);
    for (const fs::path& path : settling_.known_in(dir)) found.insert(path);  // those that went
    for (const fs::path& path : found) look(path);
  }
}

void FileIntake::look(const fs::path& path) {
  act_on(path, settling_.saw(path, mark_of(path), now_ns_));
}

void FileIntake::act_on(const fs::path& path, Settling::Seen seen) {
  switch (seen) {
    case Settling::Seen::nothing_new:
      return;
    case Settling::Seen::restless:
      return drop_taking(path);
    case Settling::Seen::still:
      wanted_.push_back(path);
      return;
    case Settling::Seen::gone:
      return forget(path);
  }
}

void FileIntake::drop_taking(const fs::path& path) {
  takings_.erase(path);
  std::erase(wanted_, path);
}

void FileIntake::forget(const fs::path& path) {
  drop_taking(path);
  unsettled_.erase(path);
  changed_ |= shelf_.remove(path);
}

void FileIntake::start_takings() {
  const bool copies =
      std::ranges::any_of(takings_, [](auto& t) { return t.second.stage() == Taking::Stage::copying; });
  if (wanted_.empty() || copies || takings_.size() >= takings_max)
    return;  // one copy at a time: it uses the disk
  const fs::path path = std::move(wanted_.front());
  wanted_.pop_front();
  takings_.emplace(path, Taking(path, look_at(path),
                                {.bytes_max = options_.file_bytes_max,
                                 .signatures = is_watched(path) ? &options_.signatures : nullptr}));
}

void FileIntake::step_taking(const fs::path& path, Taking& taking) {
  taking.step(now_ns_);
  if (taking.stage() == Taking::Stage::copied) settle_or_inspect(path, taking);
}

void FileIntake::settle_or_inspect(const fs::path& path, Taking& taking) {
  using Kind = TakingVerdict::Kind;
  if (std::optional<Shelf::Known> known = shelf_.known(taking.hash())) {
    return taking.settle({.kind = known->image ? Kind::good : Kind::bad,
                          .image = std::move(known->image),
                          .signed_by = {},
                          .hash = taking.hash(),
                          .reason = std::move(known->reason)});
  }
  if (is_inspected_now(taking.hash())) return;  // its verdict will be ours too
  taking.inspect(*ports_.inspector, now_ns_);
  const Inspection* inspection = taking.inspection();
  if (!inspection || inspection->fd() < 0) return;
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, inspection->fd(), &event) != 0) {
    log::warning("host", "cannot wait for the inspection of {}: it is noticed at its timeout", path.string());
  }
}

bool FileIntake::is_inspected_now(const std::string& hash) const {
  return std::ranges::any_of(takings_, [&](const auto& other) {
    return other.second.stage() == Taking::Stage::inspecting && other.second.hash() == hash;
  });
}

void FileIntake::shelve(const fs::path& path, const TakingVerdict& verdict) {
  using Kind = TakingVerdict::Kind;
  if (verdict.kind == Kind::changed) return settling_.again(path, now_ns_ + options_.still_ms * ns_per_ms);
  if (verdict.kind == Kind::good) {
    changed_ |= shelf_.put_good(path, verdict.image,
                                {.watched = is_watched(path),
                                 .round = unsettled_.contains(path) ? 0 : ++round_,
                                 .modified_ns = look_at(path).modified_ns},
                                verdict.signed_by);
  } else {
    const bool for_good = verdict.kind == Kind::bad;
    changed_ |= shelf_.put_aside(
        path, {.file = path.string(), .hash = verdict.hash, .reason = verdict.reason}, for_good);
    if (verdict.kind == Kind::unsure) settling_.again(path, now_ns_ + retry_after_ns);
  }
  unsettled_.erase(path);
}

bool FileIntake::step() {
  now_ns_ = ports_.clock->now().boot_ns;
  changed_ = false;
  DirectoryWatch::Changes changes = watch_.read();
  if (changes.lost) watch_dirs();
  if (changes.lost || now_ns_ >= next_walk_ns_) walk();
  for (const fs::path& path : changes.touched) {
    if (is_plugin_name(path.filename().native())) look(path);
    if (const fs::path plugin = plugin_of_signature(path); options_.signatures.asked() && !plugin.empty())
      look(plugin);
  }
  for (const fs::path& path : settling_.due(now_ns_)) look(path);
  start_takings();
  for (auto at = takings_.begin(); at != takings_.end();) {
    step_taking(at->first, at->second);
    const bool ended = at->second.stage() == Taking::Stage::ended;
    if (ended) shelve(at->first, at->second.verdict());
    at = ended ? takings_.erase(at) : std::next(at);
  }
  if (changed_) serving_ = shelf_.serving();
  return changed_;
}

std::int64_t FileIntake::next_step_boot_ns() const {
  std::int64_t next = std::min(next_walk_ns_, settling_.next_due().value_or(next_walk_ns_));
  for (const auto& [path, taking] : takings_) {
    if (taking.stage() == Taking::Stage::copying) return 0;
    if (taking.inspection()) next = std::min(next, taking.inspection()->deadline_ns());
    if (taking.stage() == Taking::Stage::copied && !is_inspected_now(taking.hash())) return 0;
  }
  return !wanted_.empty() && takings_.size() < takings_max ? 0 : next;
}

}  // namespace

Result<std::unique_ptr<Intake>> make_intake(IntakeOptions options, IntakePorts ports) {
  for (const std::vector<fs::path>* dirs : {&options.dirs, &options.builtin_dirs}) {
    for (const fs::path& dir : *dirs) {
      std::error_code error;
      if (fs::is_directory(dir, error)) continue;
      return fail(ErrorCode::not_found,
                  fmt::format("the plugin directory {} does not exist: create it or correct "
                              "`plugins` in cape.toml",
                              dir.string()));
    }
  }
  Result<DirectoryWatch> watch = DirectoryWatch::make();
  if (!watch) return std::unexpected(watch.error());
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (!epoll || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, watch->fd(), &event) != 0) {
    return fail_errno(ErrorCode::io, "cannot wait for changes of the plugin directories", errno);
  }
  auto intake =
      std::make_unique<FileIntake>(std::move(options), std::move(ports), std::move(*watch), std::move(epoll));
  intake->begin();
  return intake;
}

}  // namespace cape::child
