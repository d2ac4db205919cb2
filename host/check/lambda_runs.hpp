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

// The same in a drill of the child (host/child/runner/drill.hpp).
Finding drilled(const Bench& bench, const char* drill, const std::vector<wire::RunJob>& jobs,
                LambdaTrial& trial, LambdaTrialOptions options = {});

// What the events came to, for comparisons.
std::string summary(const LambdaTrial& trial);
// Where two runs of one job part, for a person.
std::string difference(const LambdaTrial& singly, const LambdaTrial& together);
// Does the run that `first` came of give something else each time? Then to compare with it says nothing; that is
// for C7 to warn of.
template <class Again>
bool varies(const LambdaTrial& first, Again run_again) {
  LambdaTrial second;
  const Finding found = run_again(second);
  return found.verdict == Verdict::pass && summary(first) != summary(second);
}
Finding skipped_as_it_varies();

// Is there more than process to run its events, so that it could give something else?
bool has_other_ways(const LambdaTrial& trial);
// Does it take several events in a call, or flush?
bool takes_together(const LambdaTrial& trial);

struct BatchComparison {
  const char* drill;  // that tells SKIPPED from OK
  bool (*applies)(const LambdaTrial& trial);
  const char* otherwise;  // why it is skipped where that does not hold
};
// The jobs' events one by one, and as production runs them.
Finding compare_batches(const Bench& bench, const BatchComparison& comparison,
                        const std::vector<wire::RunJob>& jobs);

}  // namespace cape::check
