// `cape replay`: events of a range run again, in a shadow of their topology, beside all that is live.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "cli/act_pages.hpp"
#include "cli/answer.hpp"
#include "cli/broker_call.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"

namespace cape::cli {
namespace {

constexpr std::int64_t scan_timeout_ms = 60'000;  // a source with much to do answers late

struct ReplayArguments {
  std::string what, of;  // TOPOLOGY; list; cancel NAME
  std::string subject, name, reason;
  std::int64_t from = 0, to = 0;
  bool dry_run = false;
};

constexpr Column replay_columns[] = {
    {"NAME", "name"},       {"TOPOLOGY", "topology"}, {"SUBJECT", "subject"},   {"FROM", "from"},
    {"TO", "to"},           {"STATE", "state"},       {"SUBJECTS", "subjects"}, {"DONE", "done"},
    {"FAILING", "failing"}, {"PARKED", "parked"},     {"EVENTS", "events"},     {"STARTED", "started"},
    {"TROUBLE", "trouble"}};
constexpr Column dry_columns[] = {
    {"SUBJECT", "subject"}, {"FROM", "from"}, {"TO", "to"}, {"LATEST", "latest"}};

Ending run_list(const Context& context) {
  const auto config = load(context);
  if (!config) return config.error();
  const Answer answer = ask_broker(*config, "replay", R"({"do":"list"})");
  if (!answer) return answer.error();
  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  const std::string rows = list_table(*answer, "replays", replay_columns);
  say_block(rows.empty() ? "nothing was replayed yet\n" : rows);
  return Exit::done;
}

Ending run_cancel(const Context& context, const ReplayArguments& arguments) {
  const auto config = load(context);
  if (!config) return config.error();
  const Answer answer = ask_broker(*config, "replay",
                                   json_object({{"do", json_string("cancel")},
                                                {"name", json_string(arguments.of)},
                                                {"reason", json_string(arguments.reason)}}));
  if (!answer) return answer.error();
  say(context.json ? one_line(*answer)
                   : fmt::format("cancelled: replay '{}'; what it has done stays done, its cursors go",
                                 shown(arguments.of)));
  return Exit::done;
}

std::string begin_body(const ReplayArguments& arguments, const std::string& after) {
  std::vector<std::pair<std::string, std::string>> fields{{"do", json_string("begin")},
                                                          {"topology", json_string(arguments.what)},
                                                          {"from", std::to_string(arguments.from)},
                                                          {"to", std::to_string(arguments.to)},
                                                          {"name", json_string(arguments.name)},
                                                          {"reason", json_string(arguments.reason)},
                                                          {"dry_run", arguments.dry_run ? "true" : "false"}};
  if (!arguments.subject.empty()) fields.emplace_back("subject", json_string(arguments.subject));
  if (!after.empty()) fields.emplace_back("after", json_string(after));
  return json_object(fields);
}

// All pages of what would run, as one answer.
Ending run_dry(const Context& context, const Config& config, const ReplayArguments& arguments) {
  SubjectPages pages;
  std::optional<std::string> after = "";
  while (after) {
    const Answer page = ask_broker(config, "replay", begin_body(arguments, *after), scan_timeout_ms);
    if (!page) return page.error();
    after = pages.add(*page);
  }
  if (context.json) {
    say(pages.json());
    return Exit::done;
  }
  const std::string rows = list_table(pages.json(), "rows", dry_columns);
  if (!rows.empty()) say_block(rows);
  say(fmt::format("would replay: {} subject{} of {}", pages.subjects(), pages.subjects() == 1 ? "" : "s",
                  arguments.what));
  return Exit::done;
}

Ending run_begin(const Context& context, const ReplayArguments& arguments) {
  if (!arguments.subject.empty())
    if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const auto config = load(context);
  if (!config) return config.error();
  if (arguments.dry_run) return run_dry(context, *config, arguments);
  const Answer answer = ask_broker(*config, "replay", begin_body(arguments, ""));
  if (!answer) return answer.error();
  say(context.json ? one_line(*answer)
                   : fmt::format("replay '{}' of {} runs; see cape replay list",
                                 shown(field_text(*answer, "name")), arguments.what));
  return Exit::done;
}

// What is wrong with the line; empty: nothing.
std::string mistake_of(const ReplayArguments& arguments, bool has_range) {
  const bool is_cancel = arguments.what == "cancel" && !has_range;
  if (is_cancel && arguments.of.empty())
    return "name the replay that shall be cancelled; see cape replay list";
  if (!is_cancel && !arguments.of.empty()) return "one topology at a time; a subject is named with --subject";
  if (is_cancel || (arguments.what == "list" && !has_range)) return {};
  if (arguments.from == 0 || arguments.to == 0)
    return "replay needs --from and --to, the first and the last sequence to run again";
  if (arguments.to < arguments.from) return "--to lies before --from";
  return {};
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  Command command(app, "replay", "Run events of a range again in a shadow of their topology");
  auto arguments = std::make_shared<ReplayArguments>();  // lives as long as the callback
  command.argument("TOPOLOGY", arguments->what, "The topology; or `list`, or `cancel`");
  command.argument("NAME", arguments->of, "The replay to cancel", false);
  command.option("--from", arguments->from, "SEQUENCE", "The first sequence to run again");
  command.option("--to", arguments->to, "SEQUENCE", "The last one");
  command.option("--subject", arguments->subject, "SUBJECT",
                 "Of this subject; else of every one the source has");
  command.option("--name", arguments->name, "NAME", "What it is called in lists; else TOPOLOGY-NUMBER");
  command.option("--reason", arguments->reason, "TEXT", "Why, for the audit; at most 256 bytes");
  command.flag("--dry-run", arguments->dry_run, "Change nothing, tell what would be run");
  command.footer(
      "\nThe events run in the topology's lambdas, flagged as replayed, with cursors, children and state\n"
      "directories of their own: nothing live moves. The shadow is called TOPOLOGY@replay in other "
      "commands.\n"
      "\nExamples:\n  cape replay audit --from 1 --to 500 --dry-run\n"
      "  cape replay audit --from 1 --to 500 --subject order/17 --reason 'check the new version'\n"
      "  cape replay list\n  cape replay cancel audit-3\n  cape why audit@replay order/17");
  const auto from_given = command.given("--from"), to_given = command.given("--to");
  command.on_chosen([&context, arguments, from_given, to_given] {
    const bool has_range = from_given() || to_given();
    if (std::string mistake = mistake_of(*arguments, has_range); !mistake.empty()) return mistake;
    context.run = [&context, arguments, has_range] {
      if (arguments->what == "list" && !has_range) return run_list(context);
      if (arguments->what == "cancel" && !has_range) return run_cancel(context, *arguments);
      return run_begin(context, *arguments);
    };
    return std::string();
  });
}

}  // namespace cape::cli
