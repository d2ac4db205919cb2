// Publishers of the simulation who want their pings acknowledged. They ask until they hear so, and nobody
// else ever pings their subjects: no publisher, no refresh. So whatever of them is forgotten shows.
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {

// Where a source lies, stops at an event, or a topology comes later, the refresh is what finds the rest.
bool Simulation::is_quiet(SubjectId subject) const {
  return !options_.lying_source && !options_.poison && !options_.config_changes && subject % 4 == 1;
}

// There is something new of the subject. A publisher that still waits for its answer asks once more then.
void Simulation::ask(SubjectId subject) {
  Asking& asking = asking_[subject];
  if (std::exchange(asking.out, true))
    asking.again = true;
  else
    send_ping(subject);
}

void Simulation::send_ping(SubjectId subject) {
  Asking& asking = asking_[subject];
  asking.seen = source_.latest(subject);
  const std::uint64_t attempt = ++asking.attempt;
  const bool is_lost = fate_.trouble(0.05);
  at(some(0, 2 * ms), [this, subject, attempt, is_lost] {
    if (!is_lost && attempt == asking_[subject].attempt) take_ping(subject);
  });
  at(some(60 * ms, 200 * ms), [this, subject, attempt] {
    if (asking_[subject].out && attempt == asking_[subject].attempt) send_ping(subject);
  });
}

// As the dispatcher does.
void Simulation::take_ping(SubjectId subject) {
  const std::uint64_t generation = ++generation_;
  const Asking& asking = asking_[subject];
  acks_[++last_ack_] = {subject, asking.attempt, asking.seen};
  seen_[{subject, generation}] = asking.seen;
  ping(subject, false, generation);
  broker_->saver.put_inbox({all_.domains[0], subject_name(subject), generation}, last_ack_);
  flush();
  schedule_tick();
}

void Simulation::on_acknowledged(std::uint64_t ack) {
  const auto [subject, attempt, seen] = acks_.extract(ack).mapped();
  ++met_.acknowledged;
  const storage::CursorInfo* info = stored(subject);
  if (!inbox_.contains(subject) && (!info || info->latest < seen))
    violate(Promise::ping, fmt::format("a ping of subject {} is acknowledged and not stored", subject));
  if (fate_.trouble(0.1)) return;  // the answer is lost
  at(some(0, 2 * ms), [this, subject, attempt] {
    Asking& asking = asking_[subject];
    if (!asking.out || asking.attempt != attempt) return;
    asking.out = false;
    if (std::exchange(asking.again, false)) ask(subject);
  });
}

// What the broker before left.
void Simulation::ping_inbox() {
  for (auto& [subject, row] : inbox_) row.generation = 0;
  for (const auto& [subject, row] : std::map(inbox_)) ping(subject, false, generation_);
}

void Simulation::commit_inbox(const storage::WriteBatch& batch) {
  for (const storage::InboxRow& row : batch.inbox) {
    const SubjectId subject = std::stoul(row.subject.substr(1));
    inbox_[subject] = {row.generation, seen_.at({subject, row.generation})};
  }
  for (const storage::InboxClear& clear : batch.inbox_clears) {
    const SubjectId subject = std::stoul(clear.subject.substr(1));
    const auto row = inbox_.find(subject);
    if (row == inbox_.end() || row->second.generation > clear.generation) continue;
    const storage::CursorInfo* info = stored(subject);
    if (!info || info->latest < row->second.seen)
      violate(Promise::ping,
              fmt::format("a ping of subject {} is let go, and what it told of is not known", subject));
    inbox_.erase(row);
  }
}

}  // namespace cape::scheduler
