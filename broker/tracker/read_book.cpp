#include "broker/tracker/read_book.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace cape::tracker {

ReadBook::ReadBook(std::size_t domains, std::size_t subjects_max)
    : subjects_max_(subjects_max), entries_(domains), queues_(domains) {}

Taken ReadBook::add(const PingIn& ping) {
  Entries& of_domain = entries_[ping.domain];
  auto at = of_domain.find(ping.subject);
  if (at == of_domain.end()) {
    if (size_ >= subjects_max_ && !ping.must) return Taken::full;
    at = of_domain.emplace(std::string(ping.subject), Entry{}).first;
    at->second = {.name = at->first, .domain = ping.domain, .ping_ns = ping.ping_ns, .generation = ping.generation,
                  .look = ping.look};
    ++size_;
    enqueue(at->second);
    return Taken::queued;
  }
  Entry& e = at->second;
  if (e.place != Place::reading) {
    e.generation = std::max(e.generation, ping.generation);
    e.look.add(ping.look);
    return Taken::merged;
  }
  if (!e.again) e.again_ns = ping.ping_ns;
  e.again = true;
  e.again_generation = std::max(e.again_generation, ping.generation);
  e.again_look.add(ping.look);
  return Taken::again;
}

std::optional<ReadId> ReadBook::begin(DomainIndex domain) {
  auto& queue = queues_[domain];
  if (queue.empty()) return std::nullopt;
  Entry* e = queue.front();
  queue.pop_front();
  e->place = Place::reading;
  e->outstanding = 0;
  e->handed_on = false;
  e->failed = false;
  e->outdated = false;
  e->whole = true;
  e->call = 0;
  if (free_.empty()) {
    slots_.push_back(e);
    return static_cast<ReadId>(slots_.size() - 1);
  }
  const ReadId id = free_.back();
  free_.pop_back();
  slots_[id] = e;
  return id;
}

void ReadBook::outdate(DomainIndex domain) {
  for (Entry* e : slots_)
    if (e != nullptr && e->domain == domain) e->outdated = true;
}

void ReadBook::finish(ReadId id) {
  Entry& e = *slots_[id];
  release(id);
  if (!e.again) {
    --size_;
    entries_[e.domain].erase(std::string(e.name));
    return;
  }
  e.again = false;
  e.failures = 0;
  e.ping_ns = e.again_ns;
  e.generation = std::exchange(e.again_generation, 0);
  e.look = std::exchange(e.again_look, {});
  enqueue(e);
}

void ReadBook::retry_later(ReadId id, std::int64_t at_ns) {
  Entry& e = *slots_[id];
  release(id);
  e.again = false;  // the next read begins after every ping so far
  e.generation = std::max(e.generation, std::exchange(e.again_generation, 0));
  e.look.add(std::exchange(e.again_look, {}));
  ++e.failures;
  e.place = Place::resting;
  resting_.push({at_ns, &e});
}

void ReadBook::put_back(ReadId id) {
  Entry& e = *slots_[id];
  release(id);
  e.generation = std::max(e.generation, std::exchange(e.again_generation, 0));
  e.look.add(std::exchange(e.again_look, {}));
  e.again = false;
  e.place = Place::queued;
  queues_[e.domain].push_front(&e);
}

void ReadBook::rest(ReadId id, std::int64_t at_ns) {
  Entry& e = *slots_[id];
  release(id);
  e.place = Place::resting;
  resting_.push({at_ns, &e});
}

void ReadBook::wake_rested(std::int64_t now_ns) {
  while (!resting_.empty() && resting_.top().at_ns <= now_ns) {
    Entry& e = *resting_.top().entry;
    resting_.pop();
    enqueue(e);
  }
}

std::optional<std::int64_t> ReadBook::next_deadline() const {
  if (resting_.empty()) return std::nullopt;
  return resting_.top().at_ns;
}

void ReadBook::enqueue(Entry& e) {
  e.place = Place::queued;
  queues_[e.domain].push_back(&e);
}

void ReadBook::release(ReadId id) {
  CAPE_CHECK(slots_[id] != nullptr);
  slots_[id] = nullptr;
  free_.push_back(id);
}

}  // namespace cape::tracker
