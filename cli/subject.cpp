// `cape subject`: how far each topology is with one subject, and what it waits for.
#include <fmt/format.h>
#include <memory>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "cli/stored.hpp"
#include "core/config/shadow.hpp"

namespace cape::cli {
namespace {

struct SubjectArguments {
  std::string domain, subject;
};

constexpr Column subject_columns[] = {{"TOPOLOGY", "topology"},
                                      {"CURSOR", "cursor"},
                                      {"STATE", "state"},
                                      {"ATTEMPT", "attempt"},
                                      {"REASON", "reason"}};

Ending run_subject(const Context& context, const SubjectArguments& arguments) {
  if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const auto config = load(context);
  if (!config) return config.error();
  const bool shadow = is_shadow(arguments.domain);  // the broker knows which there are
  const auto domain = shadow ? &config->domains.front() : domain_of(*config, arguments.domain);
  if (!domain) return domain.error();

  Answer answer = ask_broker(
      *config, "subject",
      json_object({{"domain", json_string(arguments.domain)}, {"subject", json_string(arguments.subject)}}));
  if (!answer && !shadow && answer.error().exit == Exit::no_broker) {
    note("no broker answers; this is what the stores hold");
    answer = stored_subject(*config, **domain, arguments.subject);
  }
  if (!answer) return answer.error();

  if (context.json) {
    say(one_line(*answer));
    return Exit::done;
  }
  say(fmt::format("{} {}  latest {}", arguments.domain, shown(arguments.subject),
                  shown(field_text(*answer, "latest"))));
  say_block(list_table(*answer, "topologies", subject_columns));
  return Exit::done;
}

}  // namespace

void add_subject(CLI::App& app, Context& context) {
  Command command(app, "subject", "Show how far each topology is with one subject");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto arguments = std::make_shared<SubjectArguments>();
  command.argument("DOMAIN", arguments->domain, "The subject's domain");
  command.argument("SUBJECT", arguments->subject, "The subject, 1..255 bytes");
  command.footer(
      "\nWithout a broker the stores are read, and states that only a broker knows are null.\n"
      "States: done, ready, in_flight, backing_off, parked, paused, waiting.\n"
      "\nExamples:\n  cape subject history order/17\n  cape subject history order/17 --json");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_subject(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
