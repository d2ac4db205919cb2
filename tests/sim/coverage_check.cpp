#include "tests/sim/coverage_check.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cape::scheduler {
namespace {

constexpr const char* domain_name = "simulated";

Config config_of(const Life& life) {
  Config config;
  config.domains.resize(1);
  config.domains[0].name = domain_name;
  for (const TopologySpec& spec : life.plan.topologies) {
    if (spec.shadow) continue;
    TopologyConfig& topology = config.topologies.emplace_back();
    topology.name = spec.name;
    topology.after = spec.after;
    topology.start = {StartPosition::Kind::sequence, spec.start};
    topology.stuck_after_ms = 100;
    topology.lambdas.resize(spec.lambda_count);
    for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
      topology.lambdas[i].name = life.plan.lambdas[spec.first_lambda + i].name;
  }
  return config;
}

std::string name_of(SubjectId subject) {
  return fmt::format("s{}", subject);
}

}  // namespace

Result<std::optional<storage::StoredSubject>> SimulatedRecords::load(std::string_view domain,
                                                                     std::string_view subject) {
  const SubjectId id = std::stoul(std::string(subject.substr(1)));
  const storage::CursorInfo* info = load_(id);
  if (!info) return std::nullopt;
  return storage::StoredSubject{
      .id = id, .domain = std::string(domain), .subject = std::string(subject), .info = *info};
}

CoverageCheck::CoverageCheck(const Life& life, const Source& source, Checkers& checkers,
                             SimulatedRecords::Load load)
    : life_(life),
      source_(source),
      checkers_(checkers),
      config_(config_of(life)),
      load_(std::move(load)),
      records_(load_),
      coverage_(config_, records_) {}

void CoverageCheck::set_paused(std::vector<std::string> topologies) {
  records_.paused.clear();
  for (std::string& topology : topologies)
    records_.paused.push_back({.topology = std::move(topology), .paused = true, .reason = {}});
}

void CoverageCheck::begin(Now now) {
  auto& visible = visible_[now.wall_ns];
  visible.resize(source_.subjects() + 1);
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject)
    for (const SourceEvent& event : source_.events(subject)) visible[subject].push_back(event.visible);
  coverage_.begin_walk(0, now);
}

void CoverageCheck::see(SubjectId subject) {
  const Sequence latest = source_.latest(subject);
  if (latest == 0) return;
  coverage_.see(0, name_of(subject), latest, load_(subject));
}

std::string CoverageCheck::end(Now now) {
  coverage_.end_walk(0, now);
  return check_claims();
}

std::string CoverageCheck::look_again(Now now) {
  coverage_.step(now);
  return check_claims();
}

std::string CoverageCheck::check_claims() {
  std::int64_t oldest_ns = INT64_MAX;
  for (const storage::CoverageRow& row : coverage_.rows()) {
    std::int64_t& checked_ns = proven_[row.topology];
    if (row.proven_wall_ns == checked_ns) continue;
    checked_ns = row.proven_wall_ns;
    ++claims_;
    const auto spec = std::ranges::find(life_.plan.topologies, row.topology, &TopologySpec::name) -
                      life_.plan.topologies.begin();
    const std::uint64_t open =
        not_done(life_.topology_of[static_cast<std::size_t>(spec)], visible_.at(row.proven_wall_ns));
    if (open > row.exceptions)
      return fmt::format("{} is told to be proven but for {} subjects, and {} have events that have not run",
                         row.topology, row.exceptions, open);
  }
  // A proof may wait for long; walks that no topology's can still be about are forgotten.
  if (coverage_.rows().size() == config_.topologies.size()) {
    for (const auto& [topology, proven_ns] : proven_) oldest_ns = std::min(oldest_ns, proven_ns);
    std::erase_if(visible_, [&](const auto& entry) { return entry.first < oldest_ns; });
  }
  return {};
}

// Subjects with an event that could be seen then and has not passed every lambda.
std::uint64_t CoverageCheck::not_done(TopologyIndex topology,
                                      const std::vector<std::vector<bool>>& visible) const {
  std::uint64_t open = 0;
  for (SubjectId subject = 1; subject <= source_.subjects(); ++subject) {
    bool is_open = false;
    for (std::size_t place = 0; place < visible[subject].size(); ++place)
      is_open = is_open || (visible[subject][place] && !checkers_.is_through_with(topology, subject, place));
    open += is_open;
  }
  return open;
}

std::string CoverageCheck::unproven_at(std::int64_t wall_ns) const {
  for (const TopologySpec& spec : life_.plan.topologies) {
    if (spec.shadow) continue;
    const auto at = proven_.find(spec.name);
    if (at == proven_.end() || at->second < wall_ns) return spec.name;
  }
  return {};
}

}  // namespace cape::scheduler
