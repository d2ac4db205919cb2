// broker/refresh.hpp
// Refresh finds what no ping told about: it walks every source in subject order at a throttled rate, compares
// what the source has with what is stored or in work, and pings what is behind, subjects Cape has never heard
// of included. It also walks the stored records that are behind, after a start and when the scheduler had to
// let subjects go. For a while it has read again what was handed out last of a subject (late_looks.hpp). What
// it sees is what Coverage proves by. It stops while the tracker has no room. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/coverage.hpp"
#include "broker/scheduler/scheduler.hpp"
#include "broker/source_link.hpp"
#include "broker/subjects.hpp"
#include "broker/tracker/tracker.hpp"
#include "core/config/config.hpp"

namespace cape::broker {

class Refresh {
 public:
  Refresh(const Config& config, const scheduler::Scheduler& scheduler, Subjects& subjects,
          storage::CursorStore& store, std::vector<SourceLink>& links, tracker::Tracker& tracker,
          Coverage& coverage);

  void step(Now now);
  std::optional<std::int64_t> next_deadline() const;

  void on_scan(DomainIndex domain, child::ScanAnswer answer, Now now);
  void on_source_lost(DomainIndex domain, std::int64_t now_ns);
  void walk_behind();   // from the first stored record on
  void start_at_once(); // every walk begins again now, unthrottled until stop_hurrying()
  void stop_hurrying() { hurry_ = false; }

  // What the last whole walk of a domain that began after start_at_once() saw.
  struct Finding {
    std::string subject;
    DomainIndex domain = 0;
    bool stopped = false;  // every topology that is behind is parked, or paused, or comes after one that is
  };
  struct Sweep {
    bool complete = false;               // of every domain
    std::uint64_t behind = 0;            // subjects behind that can go on
    std::uint64_t stopped = 0;           // subjects behind that wait for an operator
    std::vector<Finding> first;          // up to 20
  };
  const Sweep& sweep() const { return sweep_; }
  std::uint64_t subjects_seen() const { return subjects_seen_; }
  std::uint64_t pings() const { return pings_; }
  std::uint64_t looks() const { return looks_; }  // for late events
  bool walking_behind() const { return walking_behind_; }

 private:
  struct Walk {
    std::string token;
    std::optional<child::CallId> call;
    std::int64_t next_ns = 0;
    bool whole = false;   // since start_at_once()
    bool began = false;
    bool looks = false;               // for late events, too
    std::int64_t wall_ns = 0;         // when it began
    std::int64_t looked_wall_ns = 0;  // when the last whole one began that did; 0: nobody knows
  };
  void step_walk(DomainIndex domain, Now now);
  void step_behind(std::int64_t now_ns);
  enum class Standing : std::uint8_t { up_to_date, behind, stopped };
  void look_for_late(DomainIndex domain, const storage::StoredSubject& stored, std::int64_t now_ns);
  Standing standing(DomainIndex domain, const child::ScannedSubject& seen, const storage::StoredSubject* stored);
  void note(DomainIndex domain, const child::ScannedSubject& seen, Standing standing, std::int64_t now_ns);
  std::int64_t pause_ns() const;

  const Config& config_;
  const scheduler::Scheduler& scheduler_;
  Subjects& subjects_;
  storage::CursorStore& store_;
  std::vector<SourceLink>& links_;
  tracker::Tracker& tracker_;
  Coverage& coverage_;
  std::vector<Walk> walks_;  // by domain
  bool hurry_ = false;
  Sweep sweep_;
  bool walking_behind_ = false;
  SubjectId behind_token_ = 0;
  std::uint64_t subjects_seen_ = 0, pings_ = 0, looks_ = 0;
};

}  // namespace cape::broker
