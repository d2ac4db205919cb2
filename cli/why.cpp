// `cape why`: one cause for each topology of a subject.
#include <fmt/format.h>

#include <memory>

#include "cli/answer.hpp"
#include "cli/broker_call.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "core/config/shadow.hpp"

namespace cape::cli {
namespace {

struct WhyArguments {
  std::string domain, subject;
};

constexpr Column why_columns[] = {{"TOPOLOGY", "topology"}, {"CURSOR", "cursor"},   {"CAUSE", "cause"},
                                  {"EVENT", "sequence"},    {"ATTEMPT", "attempt"}, {"HOST", "host"},
                                  {"REASON", "reason"}};

Ending run_why(const Context& context, const WhyArguments& arguments) {
  if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const auto config = load(context);
  if (!config) return config.error();
  if (!is_shadow(arguments.domain))  // the broker knows which there are
    if (const auto domain = domain_of(*config, arguments.domain); !domain) return domain.error();
  const Answer answer = ask_broker(
      *config, "why",
      json_object({{"domain", json_string(arguments.domain)}, {"subject", json_string(arguments.subject)}}));
  if (!answer) return answer.error();
  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  say(fmt::format("{} {}  latest {}", arguments.domain, shown(arguments.subject),
                  shown(field_text(*answer, "latest"))));
  say_block(list_table(*answer, "topologies", why_columns));
  return Exit::done;
}

}  // namespace

void add_why(CLI::App& app, Context& context) {
  Command command(app, "why", "Tell for each topology why a subject is where it is");
  auto arguments = std::make_shared<WhyArguments>();  // lives as long as the callback
  command.argument("DOMAIN", arguments->domain, "The subject's domain");
  command.argument("SUBJECT", arguments->subject, "The subject, 1..255 bytes");
  command.footer(
      "\nAsks the running broker, and that the subject's source. Changes nothing; cheap enough for a loop.\n"
      "\nExamples:\n  cape why history order/17\n  cape why history order/17 --json");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_why(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
