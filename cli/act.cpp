// `cape pause`, `resume`, `park`, `redrive`, `skip`, `rewind`: what operators do to running topologies. Each
// act is on disk, with an audit record, when its command ends.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "cli/act_pages.hpp"
#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "cli/stored.hpp"

namespace cape::cli {
namespace {

struct ActKind {
  const char* name;
  const char* description;
  bool whole_domain;     // takes --domain
  bool needs_subject;    // is of one subject
  const char* sequence;  // name of the option; null: takes none
  const char* footer;
};

constexpr ActKind kinds[] = {
    {"pause", "Issue nothing further of a topology, of one subject of it, or of a whole domain", true, false,
     nullptr,
     "\nWhat is in flight finishes. Events wait at their source until `cape resume`.\n"
     "\nExamples:\n  cape pause audit --reason 'index is rebuilt'\n  cape pause audit order/17\n"
     "  cape pause --domain history order/17"},
    {"resume", "End a pause", true, false, nullptr,
     "\nExamples:\n  cape resume audit\n  cape resume audit order/17\n  cape resume --domain history"},
    {"park", "Stop one subject in a topology until it is redriven or rewound", false, true, nullptr,
     "\nIts jobs are cancelled first.\n\nExamples:\n  cape park audit order/17 --reason 'under "
     "investigation'"},
    {"redrive", "Try parked and failed events again now, their attempts forgotten", false, false, nullptr,
     "\nWithout SUBJECT every subject of the topology that is parked or backs off, in subject order.\n"
     "\nExamples:\n  cape redrive audit order/17\n  cape redrive audit --dry-run\n  cape redrive audit "
     "--limit 100"},
    {"skip", "Pass over the event at which a subject is parked or fails", false, true, "--sequence",
     "\nThe event is never run by this topology; the audit keeps which it was (cape audit).\n"
     "\nExamples:\n  cape skip audit order/17\n  cape skip audit order/17 --sequence 5 --reason 'corrupt'"},
    {"rewind", "Run events again from a sequence on", false, false, "--to",
     "\nWithout SUBJECT every subject of the topology whose cursor is at or behind --to.\n"
     "Topologies that come after it stay where they are; --with-dependants takes them along.\n"
     "\nExamples:\n  cape rewind audit order/17 --to 5 --dry-run\n  cape rewind audit --to 1 "
     "--with-dependants"},
};

constexpr std::int64_t act_timeout_ms = 60'000;  // jobs end first, at worst by the death of their host

struct ActArguments {
  std::string topology, subject, domain, reason;
  std::int64_t sequence = 0, limit = 0;
  bool dry_run = false, with_dependants = false;
};

constexpr Column row_columns[] = {
    {"SUBJECT", "subject"}, {"TOPOLOGY", "topology"},      {"FROM", "from"},
    {"TO", "to"},           {"CANCELS", "jobs_to_cancel"}, {"REFUSED", "refusal"}};

std::string body_of(const ActKind& kind, const std::string& topology, const ActArguments& arguments,
                    const std::string& after) {
  std::vector<std::pair<std::string, std::string>> fields{
      {"act", json_string(kind.name)},
      {"topology", json_string(topology)},
      {"sequence", std::to_string(arguments.sequence)},
      {"reason", json_string(arguments.reason)},
      {"dry_run", arguments.dry_run ? "true" : "false"},
      {"with_dependants", arguments.with_dependants ? "true" : "false"}};
  if (!arguments.subject.empty()) fields.emplace_back("subject", json_string(arguments.subject));
  if (!after.empty()) fields.emplace_back("after", json_string(after));
  std::string body;
  for (const auto& [key, value] : fields)
    body += fmt::format("{}{}:{}", body.empty() ? "{" : ",", json_string(key), value);
  return body + "}";
}

// All pages of one topology.
std::expected<ActPages, Ending> act_on(const Config& config, const ActKind& kind,
                                        const std::string& topology, const ActArguments& arguments) {
  const std::int64_t most = arguments.limit > 0 ? arguments.limit : std::numeric_limits<std::int64_t>::max();
  ActPages pages;
  std::optional<std::string> after = "";
  while (after) {
    const Answer page = ask_broker(config, "act", body_of(kind, topology, arguments, *after), act_timeout_ms);
    if (!page) return std::unexpected(page.error());
    pages.add(*page);
    after = pages.next(most);
  }
  return pages;
}

void print(const ActKind& kind, const std::string& topology, const ActArguments& arguments,
           const ActPages& pages) {
  const std::string rows = list_table(pages.json(), "rows", row_columns);
  if (!rows.empty()) say_block(rows);
  const std::string of = kind.whole_domain && arguments.subject.empty()
                             ? "all subjects"
                             : fmt::format("{} subject{}", pages.done(), pages.done() == 1 ? "" : "s");
  say(fmt::format("{}{}: {} of {}{}", arguments.dry_run ? "would " : "", kind.name, of, topology,
                  pages.refused() > 0 ? fmt::format(", {} refused", pages.refused()) : ""));
}

Ending run_act(const Context& context, const ActKind& kind, ActArguments arguments) {
  if (!arguments.domain.empty() && arguments.subject.empty())
    arguments.subject = std::exchange(arguments.topology, "");
  if (arguments.domain.empty() == arguments.topology.empty())
    return complain(Exit::usage,
                    kind.whole_domain ? "name a topology, or a domain with --domain" : "name a topology");
  if (kind.needs_subject && arguments.subject.empty()) return complain(Exit::usage, "name a subject");
  if (!arguments.subject.empty())
    if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const auto config = load(context);
  if (!config) return config.error();
  std::vector<std::string> topologies{arguments.topology};
  if (!arguments.domain.empty()) {
    const auto domain = domain_of(*config, arguments.domain);
    if (!domain) return domain.error();
    topologies.clear();
    for (const TopologyConfig& topology : config->topologies)
      if (&config->domains[topology.domain] == *domain) topologies.push_back(topology.name);
  }
  std::vector<std::string> answers;
  for (const std::string& topology : topologies) {
    const auto pages = act_on(*config, kind, topology, arguments);
    if (!pages) return pages.error();
    if (!context.json) print(kind, topology, arguments, *pages);
    answers.push_back(pages->json());
  }
  if (context.json)
    say(arguments.domain.empty() ? answers.front() : json_object({{"topologies", json_list(answers)}}));
  return Exit::done;
}

void add_act(CLI::App& app, Context& context, const ActKind& kind) {
  Command command(app, kind.name, kind.description);
  auto arguments = std::make_shared<ActArguments>();  // lives as long as the callback
  command.argument("TOPOLOGY", arguments->topology, "The topology's name", !kind.whole_domain);
  command.argument("SUBJECT", arguments->subject, "One subject of it", kind.needs_subject);
  if (kind.whole_domain)
    command.option("--domain", arguments->domain, "DOMAIN", "Every topology of this domain");
  if (kind.sequence != nullptr)
    command.option(kind.sequence, arguments->sequence, "SEQUENCE",
                   std::string_view(kind.name) == "rewind" ? "The first sequence to run again"
                                                           : "Refuse unless it is this event");
  if (std::string_view(kind.name) == "rewind")
    command.flag("--with-dependants", arguments->with_dependants, "Also the topologies that come after it");
  if (std::string_view(kind.name) == "redrive")
    command.option("--limit", arguments->limit, "N", "Stop after about this many subjects");
  command.option("--reason", arguments->reason, "TEXT", "Why, for the audit; at most 256 bytes");
  command.flag("--dry-run", arguments->dry_run, "Change nothing, tell what would be done");
  command.footer(kind.footer);
  const auto sequence_given = kind.sequence != nullptr ? command.given(kind.sequence) : [] { return true; };
  command.on_chosen([&context, arguments, &kind, sequence_given] {
    if (std::string_view(kind.name) == "rewind" && !sequence_given())
      return std::string("rewind needs --to SEQUENCE, the first one to run again");
    context.run = [&context, arguments, &kind] { return run_act(context, kind, *arguments); };
    return std::string();
  });
}

}  // namespace

void add_acts(CLI::App& app, Context& context) {
  for (const ActKind& kind : kinds) add_act(app, context, kind);
}

}  // namespace cape::cli
