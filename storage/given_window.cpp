#include "storage/given_window.hpp"

#include <algorithm>
#include <iterator>

namespace cape::storage {

bool GivenWindow::has(Sequence sequence) const {
  const auto after = std::ranges::upper_bound(runs, sequence, {}, &SequenceRange::first);
  return after != runs.begin() && std::prev(after)->last >= sequence;
}

std::size_t GivenWindow::size() const {
  std::size_t count = 0;
  for (const SequenceRange& run : runs) count += static_cast<std::size_t>(run.last - run.first) + 1;
  return count;
}

// Requires: it is not in there.
void GivenWindow::put(Sequence sequence) {
  const auto after = std::ranges::upper_bound(runs, sequence, {}, &SequenceRange::first);
  const bool joins_before = after != runs.begin() && std::prev(after)->last == sequence - 1;
  const bool joins_after = after != runs.end() && after->first == sequence + 1;
  if (joins_before && joins_after) {
    std::prev(after)->last = after->last;
    runs.erase(after);
  } else if (joins_before) {
    std::prev(after)->last = sequence;
  } else if (joins_after) {
    after->first = sequence;
  } else {
    runs.insert(after, {sequence, sequence});
  }
}

std::vector<Sequence> GivenWindow::note(const EventBlock& block, Sequence proven_to, std::int64_t wall_s) {
  std::vector<Sequence> late;
  if (proven_to < block.proven_from) return late;
  if (empty() || block.proven_from > to + 1) {  // what lies between is not known
    from = block.proven_from;
    to = from - 1;
    runs.clear();
  }
  if (proven_to < from) return late;
  const Sequence overlap = std::min(to, proven_to);
  for (std::size_t i = block.first_after(from - 1); i < block.entries.size(); ++i) {
    const Sequence sequence = block.entries[i].sequence;
    if (sequence > overlap) break;
    if (!has(sequence)) late.push_back(sequence);
  }
  for (const Sequence sequence : late) put(sequence);
  if (!late.empty()) given_wall_s = wall_s;
  if (proven_to > to) grow_up(block, proven_to, wall_s);
  for (std::size_t over = std::max(size(), sequences_max) - sequences_max; over > 0;) {
    SequenceRange& lowest = runs.front();
    const auto count = static_cast<std::size_t>(lowest.last - lowest.first) + 1;
    if (count <= over)
      runs.erase(runs.begin());
    else
      lowest.first += static_cast<Sequence>(over);
    over -= std::min(count, over);
    from = runs.front().first;
  }
  return late;
}

void GivenWindow::grow_up(const EventBlock& block, Sequence proven_to, std::int64_t wall_s) {
  const std::size_t end = block.first_after(proven_to);
  std::size_t first = block.first_after(to);
  if (first < end) given_wall_s = wall_s;
  if (end - first >= sequences_max) {
    runs.clear();
    first = end - sequences_max;
    from = block.entries[first].sequence;
  }
  for (std::size_t i = first; i < end; ++i) put(block.entries[i].sequence);
  to = proven_to;
}

}  // namespace cape::storage
