#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <limits>

namespace cape::cli {
namespace {

// No query could go past the largest number: the journal refuses it too.
constexpr std::int64_t sequence_max = std::numeric_limits<std::int64_t>::max() - 1;

}  // namespace

Command::Command(CLI::App& parent, const char* name, const char* description)
    : app_(*parent.add_subcommand(name, description)) {}

Command Command::subcommand(const char* name, const char* description) {
  app_.require_subcommand(1);
  return Command(*app_.add_subcommand(name, description));
}

void Command::argument(const char* name, std::string& into, const char* description, bool required) {
  app_.add_option(name, into, description)->required(required);
}

void Command::option(const char* name, std::string& into, const char* type, const char* description) {
  app_.add_option(name, into, description)->type_name(type);
}

void Command::option(const char* name, std::int64_t& into, const char* type, const char* description) {
  app_.add_option(name, into, description)->check(CLI::Range(std::int64_t{1}, sequence_max))->type_name(type);
}

void Command::flag(const char* name, bool& into, const char* description) {
  app_.add_flag(name, into, description);
}

void Command::excludes(const char* name, const char* other) {
  app_.get_option(name)->excludes(app_.get_option(other));
}

std::function<bool()> Command::given(const char* name) const {
  return [option = app_.get_option(name)] { return option->count() > 0; };
}

void Command::footer(const char* text) {
  app_.footer(text);
}

void Command::on_chosen(std::function<std::string()> chosen) {
  app_.callback([chosen = std::move(chosen)] {
    if (const std::string refusal = chosen(); !refusal.empty())
      throw CLI::ValidationError(refusal);  // caught by main, as every mistake of the line
  });
}

}  // namespace cape::cli
