#include "tests/sim/sim_store.hpp"

#include <utility>

namespace cape::sim {
SimStore::SimStore(Fate& fate, std::uint32_t epoch, StoreMet& met, Commit commit, std::function<void()> wake,
                   Reads reads)
    : fate_(fate),
      epoch_(epoch),
      met_(met),
      commit_(std::move(commit)),
      wake_(std::move(wake)),
      reads_(std::move(reads)) {}

storage::Ticket SimStore::submit(storage::WriteBatch batch) {
  groups_.push_back({++last_, std::move(batch)});
  if (groups_.size() == 1) begin_next();
  return last_;
}

void SimStore::begin_next() {
  const std::int64_t delay_ns =
      fate_.trouble(0.01) ? fate_.some(50 * ms, 500 * ms) : fate_.some(ms / 10, 2 * ms);
  const bool fails = fate_.trouble(0.06);
  const bool commits = !fails || fate_.chance(0.4);
  fate_.at(delay_ns, life_, [this, fails, commits] { end_first(fails, commits); });
}

void SimStore::end_first(bool fails, bool commits) {
  const Group group = std::move(groups_.front());
  groups_.pop_front();
  met_.failed += !commits;
  met_.unanswered += fails && commits;
  if (commits) commit_(group.batch);
  storage::CommitDone done{.ticket = group.ticket, .result = {}};
  if (fails) done.result = fail(ErrorCode::io, "the disk does not answer");
  done_.push_back(std::move(done));
  fate_.at(fate_.some(0, ms), life_, [this] { wake_(); });
  if (!groups_.empty()) begin_next();
}

}  // namespace cape::sim
