#include "host/child/progress_watch.hpp"

#include <algorithm>
#include <utility>

namespace cape::child {

ProgressWatch::Look ProgressWatch::look(const ChildWords& words, std::uint64_t heartbeat, std::uint64_t given,
                                        std::int64_t now_ns) {
  const bool moved = advance(words, given);
  if (std::exchange(restarted_, false) || moved) started_ns_ = heartbeat_ns_ = now_ns;
  if (std::exchange(heartbeat_, heartbeat) != heartbeat) heartbeat_ns_ = now_ns;
  return {.words = furthest_, .started_ns = started_ns_, .heartbeat_ns = heartbeat_ns_};
}

// A flush follows the last event that it is for: it has begun once for each place where the words can stand.
bool ProgressWatch::advance(const ChildWords& words, std::uint64_t given) {
  const std::uint64_t progress = std::max(furthest_.progress, std::min(words.progress, given));
  const std::uint64_t finished = std::max(furthest_.finished, std::min(words.finished, given));
  const bool flush_began = words.phase == Phase::flush && flushed_at_ != progress + finished;
  const bool moved = flush_began || progress != furthest_.progress || finished != furthest_.finished;
  if (flush_began) flushed_at_ = progress + finished;
  furthest_ = {.progress = progress, .finished = finished, .phase = words.phase};
  return moved;
}

}  // namespace cape::child
