#include "watcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "below.hpp"
#include "comparison.hpp"

namespace files {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::int64_t root_look_ms = 10'000;  // how long the removal of an empty root may go unnoticed
constexpr milliseconds pause_first{1'000}, pause_max{30'000};
constexpr std::int64_t together_ns =
    Hints::settle_ns / 2;  // the two halves of a rename are looked at together
constexpr std::size_t said_max = 1'000;

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

files_below::Fd open_root(const std::string& root) {
  files_below::Fd opened(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened)
    throw std::system_error(errno, std::generic_category(),
                            "the root '" + root + "' cannot be opened (create it, or grant read on it)");
  return opened;
}

}  // namespace

// From one beginning to the next: whatever goes wrong, all of it goes and nothing in memory is trusted.
class Watcher::Life {
 public:
  explicit Life(Watcher& watcher)
      : w_(watcher),
        root_(open_root(w_.options_.root)),
        ledger_(w_.options_.ledger, w_.options_.events_max),
        watches_(w_.options_.root, [this](const std::string& text) { w_.say(text); }),
        exclusions_(w_.options_.ignored, w_.options_.state_dir, w_.options_.domain),
        comparison_({root_.get(), ledger_, directories_, watches_, exclusions_, w_.stopping_,
                     [this] { commit(); }, [this] { listen(); },
                     [this](const std::string& text) { w_.say(text); }}) {
    ledger_.for_each_directory([&](const Key& key, DirectoryId id) { directories_.add(id, key); });
    directories_.set_highest(ledger_.highest_directory());
    ledger_.forget_missing();
  }
  ~Life() { ledger_.roll_back(); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  void live() {
    compare_all();
    if (w_.stopping_) return;
    w_.set_compared();
    while (!w_.stopping_) {
      wait();
      listen();
      if (hints_.all() || Clock::now() >= next_comparison_)
        compare_all();
      else
        look_where_told();
    }
  }

 private:
  void compare_all() {
    const auto begun = Clock::now();
    hints_.clear();
    watches_.begin_again();
    comparison_.look_at_everything();
    commit();
    // An endless stream of overflows must not become an endless comparison.
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    const milliseconds every =
        watches_.complete() ? w_.options_.compare_every : w_.options_.compare_unwatched_every;
    not_before_ = Clock::now() + took;
    next_comparison_ = Clock::now() + std::max(every, 10 * took);
  }

  void look_where_told() {
    const auto due = hints_.take(monotonic_ns() + together_ns);
    if (due.empty()) return;
    for (const auto& [directory, names] : due) comparison_.look_at(directory, names);
    comparison_.settle();
    commit();
  }

  void commit() {
    ledger_.commit([&](const std::string& subject, std::int64_t latest) { w_.host_.ping(subject, latest); });
  }

  void listen() {
    if (watches_.read(directories_, hints_, monotonic_ns()) && !root_is_removed()) return;
    // The sandbox shows the directory that was there when it was made. A new child sees what is there now.
    w_.host_.log(CAPE_LOG_ERROR,
                 "the root '" + w_.options_.root +
                     "' was moved or deleted; this process ends, so that another one sees what "
                     "is there now");
    std::_Exit(1);
  }

  // Nothing tells of it: a watch on a directory that somebody still holds open outlives its removal.
  bool root_is_removed() const {
    struct stat at = {};
    return ::fstat(root_.get(), &at) == 0 && at.st_nlink == 0;
  }

  void wait() {
    auto until = next_comparison_;
    if (const auto due = hints_.next_due_ns())
      until = std::min(until, Clock::time_point(std::chrono::nanoseconds(*due - together_ns)));
    if (hints_.all()) until = not_before_;
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    pollfd fds[] = {{w_.stop_event_.get(), POLLIN, 0}, {hints_.all() ? -1 : watches_.fd(), POLLIN, 0}};
    const auto timeout = std::clamp<std::int64_t>(left.count(), 0, root_look_ms);
    (void)::poll(fds, 2, static_cast<int>(timeout));  // what it says is asked again by everybody
  }

  Watcher& w_;
  files_below::Fd root_;
  Ledger ledger_;
  Directories directories_;
  Watches watches_;
  Hints hints_;
  Exclusions exclusions_;
  Comparison comparison_;
  Clock::time_point next_comparison_, not_before_;
};

Watcher::Watcher(WatcherOptions options, const cape::Host& host)
    : options_(std::move(options)), host_(host), stop_event_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stop_event_) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(stop_event_.get(), &one, sizeof one);  // cannot be full: nobody else writes
  thread_.join();
}

void Watcher::run() {
  milliseconds next_pause = pause_first;
  do {
    try {
      Life life(*this);
      set_trouble("");
      life.live();
      next_pause = pause_first;
    } catch (const std::exception& error) {
      set_trouble(error.what());
      host_.log(CAPE_LOG_ERROR,
                std::string(error.what()) + "; next try in " + std::to_string(next_pause.count()) + " ms");
    }
  } while (pause(std::exchange(next_pause, std::min(next_pause * 2, pause_max))));
}

bool Watcher::pause(milliseconds time) {
  pollfd stop = {stop_event_.get(), POLLIN, 0};
  if (!stopping_) (void)::poll(&stop, 1, static_cast<int>(time.count()));
  return !stopping_;
}

bool Watcher::wait_compared(milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return compared_; });
}

std::string Watcher::trouble() {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void Watcher::set_compared() {
  const std::lock_guard lock(mutex_);
  compared_ = true;
  changed_.notify_all();
}

void Watcher::set_trouble(const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  trouble_ = trouble;
}

// Once: a comparison finds the same trouble each time.
void Watcher::say(const std::string& text) {
  if (said_.size() < said_max && said_.insert(text).second) host_.log(CAPE_LOG_WARNING, text);
}

}  // namespace files
