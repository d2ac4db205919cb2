// cli/stored.hpp
// What the stores alone can tell while no broker runs, in the JSON shapes of the broker's answers. What only
// a running broker knows is null. No store is created.
#pragma once

#include <string>

#include "broker/coverage_report.hpp"
#include "cli/broker_call.hpp"

namespace cape::cli {

// As admin method "subject". `latest` is the journal's own for source "journal", else null. A state is
// parked, backing_off, done or null. Fails: neither a record nor the journal knows the subject.
Answer stored_subject(const Config& config, const DomainConfig& domain, const std::string& subject);

// As "topologies"; behind and parked count subjects as their records were last stored.
Answer stored_topologies(const Config& config);

// As "coverage": what was proven when it was stored last, and the exceptions as their records are.
Answer stored_coverage(const Config& config, const broker::CoverageAsked& asked);

// As "plugins": the files that a host would load and check, in the order in which it prefers them, and those that it
// sets aside before that. Reads each file once and loads none.
Answer plugin_files(const Config& config);

}  // namespace cape::cli
