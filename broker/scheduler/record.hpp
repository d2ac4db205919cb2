// broker/scheduler/record.hpp
// Between a subject in memory and its stored record. What the plan does not know is kept as it was.
#pragma once

#include "broker/scheduler/layout.hpp"
#include "broker/scheduler/subject.hpp"

namespace cape::scheduler {

// Fills `latest`, the lanes and the strangers; `stored` null: there is no record. Topologies and lambdas are
// found by name. A topology without a record starts before its plan's start; a lambda that joins one later
// starts at the topology's cursor.
void load_record(Subject& subject, const SchedulerPlan& plan, const DomainLayout& layout,
                 const storage::CursorInfo* stored);

// The plan's topologies and lambdas in the plan's order, the strangers behind.
storage::CursorInfo make_record(const Subject& subject, const SchedulerPlan& plan,
                                const DomainLayout& layout);

}  // namespace cape::scheduler
