#include "broker/coverage_report.hpp"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/exceptions.hpp"
#include "core/clock.hpp"

namespace cape::broker {
namespace {

using nlohmann::json;

constexpr std::size_t rows_per_read = 500;
constexpr std::size_t rows_max = 2000;  // looked at for one page: a few milliseconds

std::string utc(std::int64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / ns_per_s);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), wall_ns / ns_per_ms % 1000);
}

json time_or_null(std::int64_t wall_ns) {
  return wall_ns > 0 ? json(utc(wall_ns)) : json(nullptr);
}

json row_of(const Config& config, const TopologyConfig& topology,
            const std::vector<storage::CoverageRow>& rows, std::int64_t wall_ns) {
  const std::string& domain = config.domains[topology.domain].name;
  const auto row = std::ranges::find_if(
      rows, [&](const storage::CoverageRow& r) { return r.domain == domain && r.topology == topology.name; });
  const bool is_known = row != rows.end();
  const auto count = [&](std::uint64_t storage::CoverageRow::*field) {
    return is_known ? json(*row.*field) : json(nullptr);
  };
  return {
      {"topology", topology.name},
      {"domain", domain},
      {"proven_to", is_known ? time_or_null(row->proven_wall_ns) : json(nullptr)},
      {"unproven_for_ms",
       is_known ? json(std::max<std::int64_t>(0, wall_ns - row->proven_wall_ns) / ns_per_ms) : json(nullptr)},
      {"subjects", count(&storage::CoverageRow::subjects)},
      {"exceptions", count(&storage::CoverageRow::exceptions)},
      {"stuck", count(&storage::CoverageRow::stuck)}};
}

json exception_row(const TopologyConfig& topology, const storage::StoredSubject& subject,
                   const CoverageException& exception) {
  return {{"topology", topology.name},
          {"subject", subject.subject},
          {"cause", name_of(exception.cause)},
          {"stuck", exception.stuck},
          {"cursor", exception.cursor},
          {"latest", subject.info.latest},
          {"sequence", exception.sequence > 0 ? json(exception.sequence) : json(nullptr)},
          {"attempt", exception.attempts},
          {"late", exception.late},
          {"failing_since", time_or_null(exception.failing_since_ns)},
          {"reason", exception.reason}};
}

struct Page {
  json rows = json::array();
  std::optional<SubjectId> next;
};

// A record's exceptions stay together, so a page may have a few more than asked for.
Result<Page> page_of(const Config& config, storage::CursorStore& store, const CoverageAsked& asked,
                     std::int64_t wall_ns) {
  auto paused_rows = store.paused_topologies();
  if (!paused_rows) return std::unexpected(paused_rows.error());
  const PausedTopologies paused = by_name(*paused_rows);
  Page page;
  SubjectId after = asked.after;
  for (std::size_t looked_at = 0; looked_at < rows_max;) {
    auto records = store.behind(after, rows_per_read);
    if (!records) return std::unexpected(records.error());
    for (const storage::StoredSubject& record : *records) {
      after = record.id;
      for (TopologyIndex i = 0; i < config.topologies.size(); ++i) {
        const TopologyConfig& topology = config.topologies[i];
        if (topology.shadow_of) continue;
        const bool is_meant = asked.topology.empty() || asked.topology == topology.name;
        if (!is_meant || config.domains[topology.domain].name != record.domain) continue;
        if (const auto found = exception_of(config, i, record.info, record.info.latest, paused, wall_ns))
          page.rows.push_back(exception_row(topology, record, *found));
      }
      if (page.rows.size() >= asked.limit) {
        page.next = after;
        return page;
      }
    }
    if (records->size() < rows_per_read) return page;
    looked_at += records->size();
  }
  page.next = after;
  return page;
}

}  // namespace

Result<json> coverage_report(const Config& config, storage::CursorStore& store,
                             const std::vector<storage::CoverageRow>& rows, const CoverageAsked& asked,
                             std::int64_t wall_ns) {
  if (!asked.topology.empty() && !config.topology(asked.topology))
    return fail(ErrorCode::not_found, fmt::format("no topology '{}' in the config; see cape topology list",
                                                  printable(asked.topology, 80)));
  json coverage = json::array();
  for (const TopologyConfig& topology : config.topologies)
    if (!topology.shadow_of && (asked.topology.empty() || asked.topology == topology.name))
      coverage.push_back(row_of(config, topology, rows, wall_ns));
  auto page = page_of(config, store, asked, wall_ns);
  if (!page) return std::unexpected(page.error());
  return json{{"coverage", std::move(coverage)},
              {"exceptions", std::move(page->rows)},
              {"next", page->next ? json(*page->next) : json(nullptr)}};
}

}  // namespace cape::broker
