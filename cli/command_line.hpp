// cli/command_line.hpp
// Command declares one subcommand: its arguments, its help, and what to do once the line is known to be
// right. It is the only way to the parsing library for the commands, so that they compile fast. Thread: main,
// before the parse. What the arguments are bound to must live as long as the parse and the run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace cape::cli {

class Command {
 public:
  Command(CLI::App& parent, const char* name, const char* description);

  // Below this one, as `list` in `cape plugin list`; one of them must then be named.
  Command subcommand(const char* name, const char* description);

  void argument(const char* name, std::string& into, const char* description, bool required = true);
  void option(const char* name, std::string& into, const char* type, const char* description);
  // A sequence: 1 to 9223372036854775806.
  void option(const char* name, std::int64_t& into, const char* type, const char* description);
  void flag(const char* name, bool& into, const char* description);
  // Neither may stand on a line with the other.
  void excludes(const char* name, const char* other);
  void footer(const char* text);  // examples
  // Once the line is parsed: did it hold this argument or option? An empty one counts.
  std::function<bool()> given(const char* name) const;

  // Runs while parsing, once the line is right. A text that is not empty refuses the line after all.
  void on_chosen(std::function<std::string()> chosen);

 private:
  explicit Command(CLI::App& app) : app_(app) {}
  CLI::App& app_;
};

}  // namespace cape::cli
