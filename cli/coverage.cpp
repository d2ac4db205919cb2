// `cape coverage`: up to when every visible event is processed, and what is not.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "broker/coverage_report.hpp"
#include "cli/answer.hpp"
#include "cli/broker_call.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_dump.hpp"
#include "cli/stored.hpp"

namespace cape::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CoverageArguments {
  std::string topology;
  std::int64_t limit = 20;
};

constexpr Column coverage_columns[] = {{"TOPOLOGY", "topology"},   {"DOMAIN", "domain"},
                                       {"PROVEN TO", "proven_to"}, {"UNPROVEN MS", "unproven_for_ms"},
                                       {"SUBJECTS", "subjects"},   {"EXCEPTIONS", "exceptions"},
                                       {"STUCK", "stuck"}};
constexpr Column exception_columns[] = {{"TOPOLOGY", "topology"}, {"SUBJECT", "subject"},
                                        {"CAUSE", "cause"},       {"STUCK", "stuck"},
                                        {"CURSOR", "cursor"},     {"LATEST", "latest"},
                                        {"EVENT", "sequence"},    {"FAILING SINCE", "failing_since"},
                                        {"REASON", "reason"}};

// One page from the broker, or from the store.
Answer page_of(const Config& config, const CoverageArguments& arguments, std::uint64_t after,
               bool& from_store) {
  if (!from_store) {
    Json body{{"limit", arguments.limit}, {"after", after}};
    if (!arguments.topology.empty()) body["topology"] = arguments.topology;
    Answer answer = ask_broker(config, "coverage", body.dump(-1, ' ', true, Json::error_handler_t::replace));
    if (answer || answer.error().exit != Exit::no_broker) return answer;
    note("no broker answers; this is what was stored last");
    from_store = true;
  }
  return stored_coverage(
      config,
      {.topology = arguments.topology, .limit = static_cast<std::size_t>(arguments.limit), .after = after});
}

// Pages until there are as many exceptions as asked for, or no more. The counts are those of the last page.
std::expected<Json, Ending> whole_answer(const Config& config, const CoverageArguments& arguments) {
  bool from_store = false;
  Json all;
  for (std::uint64_t after = 0;;) {
    const Answer answer = page_of(config, arguments, after, from_store);
    if (!answer) return std::unexpected(answer.error());
    Json page = Json::parse(*answer, nullptr, false);
    if (!page.is_object() || !page["coverage"].is_array() || !page["exceptions"].is_array())
      return std::unexpected(complain(Exit::failed, "the answer is not of this version of Cape"));
    if (all.is_null()) {
      all = std::move(page);
    } else {
      for (Json& row : page["exceptions"]) all["exceptions"].push_back(std::move(row));
      all["next"] = page["next"];
    }
    if (!all["next"].is_number_unsigned()) return all;
    if (all["exceptions"].size() >= static_cast<std::size_t>(arguments.limit)) return all;
    after = all["next"].get<std::uint64_t>();
  }
}

// Empty: everything is proven, without exceptions.
std::string what_is_missing(const Json& answer) {
  for (const Json& row : answer["coverage"]) {
    const std::string name = shown(row.value("topology", ""));
    if (!row.value("proven_to", Json()).is_string())
      return fmt::format("nothing of topology '{}' is proven yet: a whole refresh walk has to end first",
                         name);
    if (row.value("exceptions", Json()) != 0)
      return fmt::format("topology '{}' has exceptions: cape why tells what each waits for", name);
  }
  if (!answer["exceptions"].empty()) return "there are exceptions: cape why tells what each waits for";
  return {};
}

Ending behind(const Json& answer, std::string_view what, bool json) {
  Ending ending = complain(Exit::behind, what);
  if (json)  // one object, with the error beside the answer
    for (const auto& [key, value] : answer.items()) ending.fields.emplace_back(key, dump(value));
  return ending;
}

Ending run_coverage(const Context& context, const CoverageArguments& arguments) {
  const auto config = load(context);
  if (!config) return config.error();
  if (!arguments.topology.empty() && !config->topology(arguments.topology))
    return complain(Exit::usage, fmt::format("no topology '{}' in the config file; see cape topology list",
                                             shown(arguments.topology)));
  const auto answer = whole_answer(*config, arguments);
  if (!answer) return answer.error();
  const std::string text = dump(*answer);
  const std::string missing = what_is_missing(*answer);
  if (context.json) {
    if (missing.empty()) say(one_line(text));
  } else {
    say_block(list_table(text, "coverage", coverage_columns));
    const std::string exceptions = list_table(text, "exceptions", exception_columns);
    if (!exceptions.empty()) say_block("\n" + exceptions);
    if ((*answer)["next"].is_number()) say("there may be more: --limit N");
  }
  if (!config->refresh.enabled) note("refresh is off in the config file, so nothing further is proven");
  return missing.empty() ? Ending(Exit::done) : behind(*answer, missing, context.json);
}

}  // namespace

void add_coverage(CLI::App& app, Context& context) {
  Command command(app, "coverage", "Tell up to when every event is processed, and what is not");
  auto arguments = std::make_shared<CoverageArguments>();  // lives as long as the callback
  command.option("--topology", arguments->topology, "TOPOLOGY", "Of this one alone");
  command.option("--limit", arguments->limit, "N", "Exceptions that are shown; default 20");
  command.footer(
      "\nPROVEN TO: every event that its source showed by then is processed, but for the exceptions. They "
      "are\n"
      "subjects that are parked or paused, that fail for longer than stuck_after, that wait for such, or in\n"
      "which events appeared below what their source had given.\n"
      "Exits with 0 when there are none, with 3 when there are some, or nothing is proven yet.\n"
      "\nExamples:\n  cape coverage\n  cape coverage --topology audit --limit 100 --json");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_coverage(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
