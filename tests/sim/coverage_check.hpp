// tests/sim/coverage_check.hpp
// CoverageCheck walks the simulated source as the refresh does, and holds what Coverage claims then against
// what lambdas saw: each event that could be seen when the walk began has run, or was skipped, but for as
// many subjects as it names exceptions. Of one life of the broker. Borrows what it is given, which must
// outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/coverage.hpp"
#include "tests/fakes/memory_store.hpp"
#include "tests/sim/checkers.hpp"
#include "tests/sim/config.hpp"
#include "tests/sim/source.hpp"

namespace cape::scheduler {

// The simulated store as Coverage reads it. Subjects are called s1, s2, ...
class SimulatedRecords final : public test::MemoryStore {
 public:
  using Load = std::function<const storage::CursorInfo*(SubjectId)>;
  explicit SimulatedRecords(Load load) : load_(std::move(load)) {}
  Result<std::optional<storage::StoredSubject>> load(std::string_view domain,
                                                     std::string_view subject) override;

 private:
  Load load_;
};

class CoverageCheck {
 public:
  CoverageCheck(const Life& life, const Source& source, Checkers& checkers, SimulatedRecords::Load load);

  void set_paused(std::vector<std::string> topologies);
  void begin(Now now);
  void see(SubjectId subject);
  // What is claimed wrongly; empty: nothing is.
  std::string end(Now now);
  std::string look_again(Now now);
  // Empty: each topology is proven up to `wall_ns`, or later. Else the first that is not.
  std::string unproven_at(std::int64_t wall_ns) const;
  std::uint64_t claims() const { return claims_; }

 private:
  std::string check_claims();
  std::uint64_t not_done(TopologyIndex topology, const std::vector<std::vector<bool>>& visible) const;

  const Life& life_;
  const Source& source_;
  Checkers& checkers_;
  Config config_;
  SimulatedRecords::Load load_;
  SimulatedRecords records_;
  broker::Coverage coverage_;
  std::map<std::int64_t, std::vector<std::vector<bool>>> visible_;  // by a walk's begin, subject and place
  std::map<std::string, std::int64_t> proven_;                      // by topology: the claim checked last
  std::uint64_t claims_ = 0;
};

}  // namespace cape::scheduler
