// cli/commands.hpp
// One function a subcommand, each in the file of its name. It declares arguments and help, and lets parsing
// set Context::run. `app` and `context` must outlive the parse and the run.
#pragma once

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace cape::cli {

class Command;

void add_acts(CLI::App& app, Context& context);
void add_append(CLI::App& app, Context& context);
void add_audit(CLI::App& app, Context& context);
void add_broker(CLI::App& app, Context& context);
void add_coverage(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_help(CLI::App& app, Context& context);  // borrows `app` for its run, too
void add_host(CLI::App& app, Context& context);
void add_keys(CLI::App& app, Context& context);
void add_monitor(CLI::App& app, Context& context);
void add_ping(CLI::App& app, Context& context);
void add_plugin(CLI::App& app, Context& context);
void add_plugin_canary(Command& plugin, Context& context);
void add_plugin_check(Command& plugin, Context& context);
void add_plugin_new(Command& plugin, Context& context);
void add_plugin_pin(Command& plugin, Context& context);
void add_plugin_run(Command& plugin, Context& context);
void add_plugin_sign(Command& plugin, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_subject(CLI::App& app, Context& context);
void add_topology(CLI::App& app, Context& context);
void add_up(CLI::App& app, Context& context);
void add_why(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

}  // namespace cape::cli
