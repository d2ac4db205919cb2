// Events for a lambda under check, and runs of it in a child and a state directory of its own. Thread: one;
// run() blocks for check_ms_max.
#pragma once

#include <string>
#include <vector>

#include "host/check/check.hpp"
#include "host/check/specs.hpp"
#include "host/check/trial.hpp"

namespace cape::check {

using Events = std::vector<TrialEvent>;

Events events_of(const char* subject, const std::vector<std::string>& payloads);
// Random events of one subject, the same for one seed.
Events seeded_events(const Bench& bench, const char* subject, std::size_t count);
std::vector<std::string> edge_payloads();
// One event a job, so that a failure stops no other.
std::vector<wire::RunJob> one_each(const Events& events);

// A pass means that `trial` has an outcome of each job.
Finding run(const Bench& bench, const std::vector<wire::RunJob>& jobs, LambdaTrial& trial,
            LambdaTrialOptions options = {});
Finding run(TrialSpec spec, const std::vector<wire::RunJob>& jobs, LambdaTrial& trial,
            LambdaTrialOptions options = {});

// What the events came to, for comparisons.
std::string summary(const LambdaTrial& trial);
// Is there more than process to run its events, so that it could give something else?
bool has_other_ways(const LambdaTrial& trial);
// Does it take several events in a call, or flush?
bool takes_together(const LambdaTrial& trial);

}  // namespace cape::check
