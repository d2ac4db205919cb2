// broker/subjects.hpp
// Subjects knows the id of every subject the scheduler holds, and asks the store for the others. An id is
// given once and kept: in memory until the subject's record is stored, in the record from then on.
// Thread: broker loop only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/scheduler/scheduler.hpp"
#include "broker/tracker/read_book.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

class Subjects {
 public:
  struct Found {
    SubjectId id = 0;                            // 0: neither held nor stored
    // Empty while the scheduler holds it, which knows better unless it needs_start().
    std::optional<storage::CursorInfo> stored;
  };

  // All of them must outlive it.
  Subjects(const Config& config, const scheduler::Scheduler& scheduler, storage::CursorStore& store);

  // What is found is true until the scheduler's next step.
  Result<Found> find(DomainIndex domain, std::string_view subject);
  // The scheduler is about to hold it. `id` 0: a new one is given. Returns the id.
  SubjectId hold(DomainIndex domain, std::string_view subject, SubjectId id);
  void release(SubjectId id);  // the scheduler has let go of it, or never took it
  // 0: not named here, so the scheduler does not hold it.
  SubjectId named(DomainIndex domain, std::string_view subject) const;

 private:
  using ByName = std::unordered_map<std::string, SubjectId, tracker::StringHash, std::equal_to<>>;
  struct Name {
    DomainIndex domain;
    std::string_view subject;  // the key in by_name_
  };

  const Config& config_;
  const scheduler::Scheduler& scheduler_;
  storage::CursorStore& store_;
  std::vector<ByName> by_name_;  // by domain
  std::unordered_map<SubjectId, Name> by_id_;
};

}  // namespace cape::broker
