// cli/canary_table.hpp
// The canaries in an answer about topologies, as a table of their own.
#pragma once

#include <string>
#include <string_view>

#include "cli/answer.hpp"

namespace cape::cli {

inline constexpr Column canary_columns[] = {{"TOPOLOGY", "topology"},
                                            {"LAMBDA", "lambda"},
                                            {"STABLE", "stable"},
                                            {"CANDIDATE", "candidate"},
                                            {"SHARE", "share"},
                                            {"EVENTS", "events"},
                                            {"FAILED", "failed"},
                                            {"P95 MS", "p95_ms"},
                                            {"STABLE EVENTS", "stable_events"},
                                            {"STABLE FAILED", "stable_failed"},
                                            {"STABLE P95 MS", "stable_p95_ms"},
                                            {"LAST VERDICT", "verdict"}};

// Empty: no lambda has a canary.
inline std::string canary_table(std::string_view answer) {
  const std::string rows = nested_table(answer, "topologies", "canaries", canary_columns);
  return rows.empty() ? rows : "\n" + rows;
}

}  // namespace cape::cli
