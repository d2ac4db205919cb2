// broker/tracker/read_book.hpp
// ReadBook remembers which subjects are to be read at their source, and coalesces pings. A subject is in one
// place at a time:
//
//   (absent) ──add──▶ queued ──begin──▶ reading ──finish──▶ (absent), or queued if a ping came meanwhile
//                       ▲                  └─ retry_later ─▶ resting ──time──▶ queued
//
// A ping is merged only into a read that has not begun; one that comes while the subject is being read leads
// to one more read. Bounded: beyond `subjects_max` add() answers full and changes nothing. Does no I/O.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/types.hpp"

namespace cape::tracker {

// Sequences that were read before and are to be read again, whoever is through with them. `from` 0: none.
struct Look {
  Sequence from = 0, to = 0;

  bool empty() const { return from == 0; }
  void add(const Look& other) {
    if (other.empty()) return;
    from = empty() ? other.from : std::min(from, other.from);
    to = std::max(to, other.to);
  }
};

struct PingIn {
  DomainIndex domain = 0;
  std::string_view subject;
  std::int64_t ping_ns = 0;       // boot time it was received
  std::uint64_t generation = 0;   // of an acknowledged ping; 0: not acknowledged
  bool must = false;              // taken even beyond the limit: its subject is in memory already
  Look look = {};
};

enum class Taken : std::uint8_t { queued, merged, again, full };

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

using ReadId = std::uint32_t;  // of a subject being read; used again after finish or retry_later

class ReadBook {
 public:
  ReadBook(std::size_t domains, std::size_t subjects_max);

  Taken add(const PingIn& ping);
  // Moves the oldest queued subject of `domain` to reading; nullopt: none is queued.
  std::optional<ReadId> begin(DomainIndex domain);
  void finish(ReadId id);
  void retry_later(ReadId id, std::int64_t at_ns);  // one more failed read of this subject
  void put_back(ReadId id);  // it did not begin after all: first in the queue again
  void rest(ReadId id, std::int64_t at_ns);  // it did not begin after all, and shall not before then
  void wake_rested(std::int64_t now_ns);

  // It is queued, being read or resting.
  bool holds(DomainIndex domain, std::string_view subject) const { return entries_[domain].contains(subject); }

  std::string_view subject(ReadId id) const { return entry(id).name; }
  DomainIndex domain(ReadId id) const { return entry(id).domain; }
  std::int64_t ping_ns(ReadId id) const { return entry(id).ping_ns; }
  std::uint64_t generation(ReadId id) const { return entry(id).generation; }
  std::uint32_t failures(ReadId id) const { return entry(id).failures; }
  const Look& look(ReadId id) const { return entry(id).look; }
  // The owner's marks on a read that is under way: answers still to come, that one was handed on, that one
  // failed, and the call that carries it.
  std::uint32_t& outstanding(ReadId id) { return slots_[id]->outstanding; }
  bool take_first(ReadId id) { return !std::exchange(slots_[id]->handed_on, true); }  // true: once
  void mark_failed(ReadId id) { slots_[id]->failed = true; }
  bool failed(ReadId id) const { return entry(id).failed; }
  // What is being read of the domain now was asked for before something that its answers do not know of.
  void outdate(DomainIndex domain);
  bool is_outdated(ReadId id) const { return entry(id).outdated; }
  // Not every position of the subject is asked for by this read.
  void set_whole(ReadId id, bool whole) { slots_[id]->whole = whole; }
  bool whole(ReadId id) const { return entry(id).whole; }
  std::uint64_t call(ReadId id) const { return entry(id).call; }
  void set_call(ReadId id, std::uint64_t call) { slots_[id]->call = call; }
  bool is_reading(ReadId id, std::uint64_t call) const {
    return id < slots_.size() && slots_[id] != nullptr && slots_[id]->call == call;
  }

  std::size_t queued(DomainIndex domain) const { return queues_[domain].size(); }
  std::size_t size() const { return size_; }  // queued, reading and resting
  std::size_t reading() const { return slots_.size() - free_.size(); }
  std::size_t resting() const { return resting_.size(); }
  std::optional<std::int64_t> next_deadline() const;

 private:
  enum class Place : std::uint8_t { queued, reading, resting };
  struct Entry {
    std::string_view name;  // the key it is stored under
    DomainIndex domain = 0;
    Place place = Place::queued;
    bool again = false;
    bool handed_on = false;
    bool failed = false;
    bool outdated = false;
    bool whole = true;
    std::uint64_t call = 0;
    std::uint32_t outstanding = 0;
    std::uint32_t failures = 0;
    std::int64_t ping_ns = 0, again_ns = 0;
    std::uint64_t generation = 0, again_generation = 0;
    Look look, again_look;
  };
  using Entries = std::unordered_map<std::string, Entry, StringHash, std::equal_to<>>;
  struct Rest {
    std::int64_t at_ns;
    Entry* entry;
    bool operator<(const Rest& other) const { return at_ns > other.at_ns; }  // earliest on top
  };

  const Entry& entry(ReadId id) const { return *slots_[id]; }
  void release(ReadId id);
  void enqueue(Entry& e);

  std::size_t subjects_max_;
  std::size_t size_ = 0;
  std::vector<Entries> entries_;            // by domain; node addresses are stable
  std::vector<std::deque<Entry*>> queues_;  // by domain, oldest first
  std::vector<Entry*> slots_;               // by ReadId
  std::vector<ReadId> free_;
  std::priority_queue<Rest> resting_;
};

}  // namespace cape::tracker
