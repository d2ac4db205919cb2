// `cape audit`: what operators did, newest first. Reads the store, broker or not.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <memory>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "core/clock.hpp"
#include "storage/cursor_store.hpp"

namespace cape::cli {
namespace {

struct AuditArguments {
  std::string topology;
  std::int64_t limit = 50;
};

constexpr Column audit_columns[] = {
    {"TIME", "time"},       {"ACT", "act"},   {"DOMAIN", "domain"}, {"TOPOLOGY", "topology"},
    {"SUBJECT", "subject"}, {"FROM", "from"}, {"TO", "to"},         {"REASON", "reason"}};

std::string utc(std::int64_t wall_ns) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ns / ns_per_s)));
}

std::string row_of(const storage::AuditEntry& entry) {
  return json_object({{"time", json_string(utc(entry.time_ns))},
                      {"time_ns", std::to_string(entry.time_ns)},
                      {"act", json_string(entry.act)},
                      {"domain", json_string(entry.domain)},
                      {"topology", json_string(entry.topology)},
                      {"subject", json_string(entry.subject)},
                      {"from", std::to_string(entry.from)},
                      {"to", std::to_string(entry.to)},
                      {"reason", json_string(entry.reason)}});
}

Ending run_audit(const Context& context, const AuditArguments& arguments) {
  const auto config = load(context);
  if (!config) return config.error();
  std::vector<std::string> rows;
  auto store = storage::open_sqlite_store_read_only(config->data_dir);
  if (!store && store.error().code != ErrorCode::not_found)
    return complain(Exit::failed, store.error());
  if (store) {
    const auto entries = (*store)->audit(arguments.topology, static_cast<std::size_t>(arguments.limit));
    if (!entries) return complain(Exit::failed, entries.error());
    for (const storage::AuditEntry& entry : *entries) rows.push_back(row_of(entry));
  }
  const std::string answer = json_object({{"audit", json_list(rows)}});
  if (context.json) {
    say(answer);
    return Exit::done;
  }
  say_block(rows.empty() ? "no operator has done anything yet\n"
                         : list_table(answer, "audit", audit_columns));
  return Exit::done;
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
  Command command(app, "audit", "Show what operators did: pauses, parks, redrives, skips, rewinds, replays");
  auto arguments = std::make_shared<AuditArguments>();  // lives as long as the callback
  command.argument("TOPOLOGY", arguments->topology, "Of this topology alone", false);
  command.option("--limit", arguments->limit, "N", "At most so many, the newest; default 50");
  command.footer(
      "\nFROM and TO are the topology's cursor before and after, of a replay its range.\n"
      "\nExamples:\n  cape audit\n  cape audit index --limit 5 --json");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_audit(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
