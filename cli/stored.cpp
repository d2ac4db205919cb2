#include "cli/stored.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "broker/exceptions.hpp"
#include "cli/console.hpp"
#include "cli/json_dump.hpp"
#include "core/clock.hpp"
#include "host/child/intake.hpp"
#include "host/child/taking.hpp"
#include "storage/cursor_store.hpp"
#include "storage/journal/journal_db.hpp"

namespace cape::cli {
namespace {

using Json = nlohmann::ordered_json;
using StorePtr = std::unique_ptr<storage::CursorStore>;  // null: there is none yet

std::unexpected<Ending> trouble(const Error& error) {
  return std::unexpected(complain(Exit::failed, error));
}

Result<StorePtr> open_store(const Config& config) {
  auto store = storage::open_sqlite_store_read_only(config.data_dir);
  if (!store && store.error().code == ErrorCode::not_found) return StorePtr();
  return store;
}

// The journal's own latest; nullopt: another source, no journal or no such subject in it.
std::optional<Sequence> journal_latest(const Config& config, const DomainConfig& domain,
                                       const std::string& subject) {
  const fs::path directory = config.journal_dir(domain);
  std::error_code error;
  if (domain.source != "journal" || !fs::exists(directory / "events.db", error)) return std::nullopt;
  auto journal = storage::JournalDb::open(directory, config.payload_bytes_max);
  if (!journal) return std::nullopt;  // not ours to read: then latest is not known
  const auto latest = journal->latest(subject);
  return latest ? std::optional(*latest) : std::nullopt;
}

const storage::LambdaCursor* lambda_in_trouble(const storage::TopologyCursor& cursor) {
  const auto parked = std::ranges::find_if(cursor.lambdas, [](const auto& lambda) { return lambda.parked; });
  if (parked != cursor.lambdas.end()) return &*parked;
  const auto failed =
      std::ranges::find_if(cursor.lambdas, [](const auto& lambda) { return lambda.failed_sequence != 0; });
  return failed != cursor.lambdas.end() ? &*failed : nullptr;
}

Json state_of(const storage::TopologyCursor& cursor, std::optional<Sequence> latest) {
  if (const auto* lambda = lambda_in_trouble(cursor)) {
    if (lambda->parked) return "parked";
    if (lambda->next_try_wall_ns > wall_ns()) return "backing_off";
  }
  if (latest && cursor.cursor() >= *latest) return "done";
  return nullptr;
}

Json row_of(const storage::TopologyCursor& cursor, std::optional<Sequence> latest) {
  const auto* lambda = lambda_in_trouble(cursor);
  return {{"topology", cursor.topology},
          {"cursor", cursor.cursor()},
          {"state", state_of(cursor, latest)},
          {"attempt", lambda ? lambda->attempts : 0},
          {"reason", lambda ? lambda->reason : std::string()}};
}

storage::TopologyCursor cursor_of(const storage::CursorInfo& info, const std::string& topology) {
  for (const auto& cursor : info.topologies)
    if (cursor.topology == topology) return cursor;
  const auto start = std::ranges::find(info.starts, topology, &storage::FixedStart::topology);
  if (start == info.starts.end()) return {.topology = topology, .lambdas = {}};
  return {.topology = topology, .lambdas = {{.lambda = {}, .cursor = start->cursor, .reason = {}}}};
}

struct Counts {
  std::uint64_t behind = 0, parked = 0, stuck = 0, late = 0;
};

void count(const Config& config, const storage::StoredSubject& stored, const TopologyConfig& topology,
           Counts& counts) {
  const auto index = static_cast<TopologyIndex>(&topology - config.topologies.data());
  const auto exception = broker::exception_of(config, index, stored.info, stored.info.latest, {}, wall_ns());
  counts.stuck += exception && exception->stuck;
  counts.late += exception ? exception->late : 0;
  const storage::TopologyCursor cursor = cursor_of(stored.info, topology.name);
  if (cursor.cursor() >= stored.info.latest) return;
  ++counts.behind;
  const auto* lambda = lambda_in_trouble(cursor);
  if (lambda && lambda->parked) ++counts.parked;
}

// By topology. A parked subject is behind: its cursor stands before the event.
Result<std::vector<Counts>> count_all(const Config& config, storage::CursorStore& store) {
  constexpr std::size_t page = 1000;
  std::vector<Counts> counts(config.topologies.size());
  for (SubjectId after = 0;;) {
    const auto behind = store.behind(after, page);
    if (!behind) return std::unexpected(behind.error());
    for (const auto& stored : *behind) {
      after = stored.id;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        const TopologyConfig& topology = config.topologies[i];
        if (config.domains[topology.domain].name == stored.domain) count(config, stored, topology, counts[i]);
      }
    }
    if (behind->size() < page) return counts;
  }
}

// What is told of a plugin file by a look at it that loads nothing: the first steps of a host's intake.
child::TakingVerdict look_into(const fs::path& file, const child::SignaturePolicy* signatures) {
  child::Taking taking(file, child::look_at(file),
                       {.bytes_max = child::IntakeOptions().file_bytes_max, .signatures = signatures});
  while (taking.stage() == child::Taking::Stage::copying) taking.step(boot_ns());
  if (taking.stage() == child::Taking::Stage::copied)
    taking.settle({.kind = child::TakingVerdict::Kind::good, .image = {}, .signed_by = {}, .hash = taking.hash(), .reason = {}});
  return taking.verdict();
}

void add_files(const fs::path& directory, const child::SignaturePolicy* signatures, Json& plugins, Json& set_aside) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    if (child::is_plugin_name(it->path().filename().native())) files.push_back(it->path().string());
  }
  std::ranges::sort(files);
  for (const std::string& file : files) {
    const child::TakingVerdict verdict = look_into(file, signatures);
    if (verdict.kind == child::TakingVerdict::Kind::changed) continue;  // it has just gone, or is being written
    if (verdict.kind != child::TakingVerdict::Kind::good) {
      set_aside.push_back({{"file", file}, {"hash", verdict.hash}, {"reason", verdict.reason}});
      continue;
    }
    plugins.push_back({{"id", nullptr},
                       {"version", nullptr},
                       {"hash", verdict.hash},
                       {"file", file},
                       {"signed_by", verdict.signed_by},
                       {"state", nullptr},
                       {"kind", nullptr},
                       {"since", nullptr},
                       {"trouble", Json::object()},
                       {"children", Json::array()}});
  }
}

}  // namespace

Answer stored_subject(const Config& config, const DomainConfig& domain, const std::string& subject) {
  auto store = open_store(config);
  if (!store) return trouble(store.error());
  std::optional<storage::StoredSubject> stored;
  if (*store) {
    auto loaded = (*store)->load(domain.name, subject);
    if (!loaded) return trouble(loaded.error());
    stored = std::move(*loaded);
  }
  const std::optional<Sequence> latest = journal_latest(config, domain, subject);
  Json rows = Json::array();
  const storage::CursorInfo info = stored ? stored->info : storage::CursorInfo();
  for (const TopologyConfig& topology : config.topologies)
    if (&config.domains[topology.domain] == &domain)
      rows.push_back(row_of(cursor_of(info, topology.name), latest));
  return dump({{"domain", domain.name},
               {"subject", subject},
               {"latest", latest ? Json(*latest) : Json(nullptr)},
               {"topologies", std::move(rows)}});
}

Answer stored_topologies(const Config& config) {
  auto store = open_store(config);
  if (!store) return trouble(store.error());
  std::optional<std::vector<Counts>> counts;
  if (*store) {
    auto counted = count_all(config, **store);
    if (!counted) return trouble(counted.error());
    counts = std::move(*counted);
  }
  Json rows = Json::array();
  for (std::size_t i = 0; i < config.topologies.size(); ++i) {
    const TopologyConfig& topology = config.topologies[i];
    Json lambdas = Json::array();
    for (const LambdaConfig& lambda : topology.lambdas)
      lambdas.push_back({{"lambda", lambda.name}, {"plugin", lambda.plugin}});
    rows.push_back({{"topology", topology.name},
                    {"domain", config.domains[topology.domain].name},
                    {"mode", name_of(topology.mode)},
                    {"lambdas", std::move(lambdas)},
                    {"behind", counts ? Json((*counts)[i].behind) : Json(nullptr)},
                    {"parked", counts ? Json((*counts)[i].parked) : Json(nullptr)},
                    {"stuck", counts ? Json((*counts)[i].stuck) : Json(nullptr)},
                    {"late", counts ? Json((*counts)[i].late) : Json(nullptr)}});
  }
  return dump({{"topologies", std::move(rows)}});
}

Answer stored_coverage(const Config& config, const broker::CoverageAsked& asked) {
  auto store = open_store(config);
  if (!store) return trouble(store.error());
  if (!*store) {
    Json rows = Json::array();
    for (const TopologyConfig& topology : config.topologies)
      if (asked.topology.empty() || asked.topology == topology.name)
        rows.push_back({{"topology", topology.name},
                        {"domain", config.domains[topology.domain].name},
                        {"proven_to", nullptr},
                        {"unproven_for_ms", nullptr},
                        {"subjects", nullptr},
                        {"exceptions", nullptr},
                        {"stuck", nullptr}});
    return dump({{"coverage", std::move(rows)}, {"exceptions", Json::array()}, {"next", nullptr}});
  }
  auto rows = (*store)->coverage();
  if (!rows) return trouble(rows.error());
  auto report = broker::coverage_report(config, **store, *rows, asked, wall_ns());
  if (!report) return trouble(report.error());
  return dump(Json(*report));
}

Answer plugin_files(const Config& config) {
  const child::SignaturePolicy signatures{config.require_signature, config.trusted_keys};
  Json plugins = Json::array(), set_aside = Json::array();
  for (const fs::path& directory : config.plugins) add_files(directory, &signatures, plugins, set_aside);
  if (const auto builtin = child::builtin_plugin_dir()) add_files(*builtin, nullptr, plugins, set_aside);
  return dump({{"plugins", std::move(plugins)}, {"set_aside", std::move(set_aside)}});
}

}  // namespace cape::cli
