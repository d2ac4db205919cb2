// `cape status`: the running broker's counters.

#include <memory>
#include "cli/answer.hpp"
#include "cli/broker_call.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"

namespace cape::cli {
namespace {

Ending run_status(const Context& context, bool reset_latency) {
  const auto config = load(context);
  if (!config) return config.error();
  const Answer answer = ask_broker(*config, "status", reset_latency ? R"({"reset_latency":true})" : "{}");
  if (!answer) return answer.error();
  if (context.json)
    say(one_line(*answer));
  else
    say_block(fields_table(*answer));
  return Exit::done;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  Command command(app, "status", "Show the running broker's counters");
  // Owned by the option's binding and the callback: both live as long as `app`.
  auto reset_latency = std::make_shared<bool>(false);
  command.flag("--reset-latency", *reset_latency, "Begin a new latency window after this answer");
  command.footer("\nExamples:\n  cape status\n  cape status --json | jq .latency_us");
  command.on_chosen([&context, reset_latency] {
    context.run = [&context, reset_latency] { return run_status(context, *reset_latency); };
    return std::string();
  });
}

}  // namespace cape::cli
