// broker/coverage_report.hpp
// The answer of `cape coverage`, made from what is stored: the broker and a command without one give the same
// shape.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

struct CoverageAsked {
  std::string topology;    // empty: of all
  std::size_t limit = 20;  // exceptions of one page, at most exceptions_page_max
  SubjectId after = 0;     // of the page before: its `next`
};
inline constexpr std::size_t exceptions_page_max = 1000;

// {"coverage":[...],"exceptions":[...],"next":N|null}, see docs/operations.md. `rows`: what is proven, of any
// topologies. Reads at most a few thousand of the records that are behind; `next` says that there may be
// more. not_found: no such topology.
Result<nlohmann::json> coverage_report(const Config& config, storage::CursorStore& store,
                                       const std::vector<storage::CoverageRow>& rows,
                                       const CoverageAsked& asked, std::int64_t wall_ns);

}  // namespace cape::broker
