// broker/scheduler/record.hpp
// Between a subject in memory and its stored record. What the plan does not know is kept as it was.
#pragma once

#include "broker/scheduler/layout.hpp"
#include "broker/scheduler/subject.hpp"

namespace cape::scheduler {

// Fills `latest`, the lanes and the strangers; `stored` null: there is no record. Topologies and lambdas are
// found by name. A topology without a record starts where a baseline says, else before its plan's start; a
// lambda that joins one later starts at the topology's cursor. Where a baseline is not done (by
// TopologyIndex) and does not know the subject yet, the topology's lanes stay unplaced.
void load_record(Subject& subject, const SchedulerPlan& plan, const DomainLayout& layout,
                 const storage::CursorInfo* stored, const std::vector<bool>& baseline_runs);

// Where a baseline has the topology begin; `otherwise` if none knows it.
Sequence start_cursor(const storage::CursorInfo* stored, const std::string& topology, Sequence otherwise);

// The plan's topologies and lambdas in the plan's order, the strangers behind; without those that are
// unplaced.
storage::CursorInfo make_record(const Subject& subject, const SchedulerPlan& plan,
                                const DomainLayout& layout);

}  // namespace cape::scheduler
