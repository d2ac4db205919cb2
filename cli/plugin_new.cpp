// `cape plugin new`: a project that builds at once, from the template of its kind and language.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "core/types.hpp"
#include "host/child/intake.hpp"

namespace cape::cli {
namespace {

struct NewArguments {
  std::string name, kind = "lambda", language = "cpp", dir;
};

struct Template {
  const char* kind;
  const char* language;
  const char* dir;
  const char* id;     // of the plugin in it
  const char* title;  // of its class; null where there is none
};
constexpr std::array templates{Template{"lambda", "cpp", "lambda_cpp", "word_count", "WordCount"},
                               Template{"lambda", "c", "lambda_c", "line_log", nullptr},
                               Template{"lambda", "rust", "lambda_rust", "line_words", "LineWords"},
                               Template{"lambda", "go", "lambda_go", "line_sizes", nullptr},
                               Template{"source", "cpp", "source_cpp", "line_source", "LineSource"},
                               Template{"source", "c", "source_c", "line_source", nullptr},
                               Template{"source", "rust", "source_rust", "line_source", "LineSource"}};

// Names that a project cannot have: targets of its own that CMake makes, the words of the languages, and the
// name under which a project finds Cape.
constexpr std::array<std::string_view, 5> targets{"all", "clean", "help", "install", "test"};
constexpr std::string_view words[] = {
    "abstract", "alignas", "alignof", "and", "as", "asm", "async", "auto", "await", "become", "bool",
    "box", "break", "case", "catch", "char", "class", "const", "continue", "crate", "default", "delete",
    "do", "double", "dyn", "else", "enum", "explicit", "export", "extern", "false", "final", "float",
    "fn", "for", "friend", "goto", "if", "impl", "in", "inline", "int", "let", "long", "loop", "macro",
    "main", "match", "mod", "move", "mut", "namespace", "new", "not", "operator", "or", "override",
    "priv", "private", "protected", "pub", "public", "ref", "register", "restrict", "return", "self",
    "short", "signed", "sizeof", "static", "struct", "super", "switch", "template", "this", "throw",
    "trait", "true", "try", "type", "typedef", "typename", "typeof", "union", "unsafe", "unsigned",
    "unsized", "use", "using", "virtual", "void", "volatile", "where", "while", "xor", "yield"};
std::string_view why_taken(std::string_view name) {
  if (name == "cape") return "it is Cape's own";
  if (std::ranges::find(targets, name) != targets.end()) return "CMake makes a target of that name itself";
  if (std::ranges::find(words, name) != std::end(words)) return "it is a word of C, C++ or Rust";
  return {};
}

// "geo_index" as "GeoIndex".
std::string title_of(const std::string& name) {
  std::string title;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    title += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return title;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

Result<void> write_file(const fs::path& from, const fs::path& to, const Template& chosen,
                        const std::string& name) {
  std::ifstream in(from, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.eof() && in.fail()) return fail(ErrorCode::io, "cannot read " + from.string());
  if (chosen.title != nullptr) text = replaced(std::move(text), chosen.title, title_of(name));
  text = replaced(std::move(text), chosen.id, name);
  std::ofstream out(to, std::ios::binary);
  out << text;
  out.close();
  if (!out)
    return fail(ErrorCode::io, "cannot write " + to.string() + "; is there room, and may you write there?");
  return {};
}

Result<void> write_project(const fs::path& from, const fs::path& to, const Template& chosen,
                           const std::string& name) {
  std::error_code error;
  fs::create_directories(to, error);
  if (error) return fail(ErrorCode::io, "cannot make " + to.string() + ": " + error.message());
  fs::directory_iterator files(from, error);
  if (error) return fail(ErrorCode::io, "cannot read " + from.string() + ": " + error.message());
  for (const fs::directory_entry& file : files)
    if (Result<void> done = write_file(
            file.path(), to / replaced(file.path().filename().string(), chosen.id, name), chosen, name);
        !done)
      return done;
  return {};
}

Ending run_plugin_new(const NewArguments& arguments, bool json) {
  if (!is_name(arguments.name))
    return complain(Exit::usage, fmt::format("'{}' is not a name: a-z, then a-z, 0-9 and _, at most 63 bytes",
                                             shown(arguments.name)));
  if (const std::string_view why = why_taken(arguments.name); !why.empty())
    return complain(Exit::usage, fmt::format("a plugin cannot be built under the name '{}': {}; choose another one",
                                             arguments.name, why));
  const auto* chosen = std::ranges::find_if(templates, [&](const Template& one) {
    return arguments.kind == one.kind && arguments.language == one.language;
  });
  if (chosen == templates.end())
    return complain(Exit::usage,
                    fmt::format("there is no template for a {} in {}; there are lambda in cpp, c, rust "
                                "and go, source in cpp, c and rust",
                                shown(arguments.kind), shown(arguments.language)));
  const fs::path to = arguments.dir.empty() ? fs::path(arguments.name) : fs::path(arguments.dir);
  std::error_code error;
  if (fs::exists(to, error))
    return complain(Exit::failed,
                    fmt::format("{} is there already; choose another --dir", shown(to.string())));
  const auto from = child::template_dir();
  if (!from) return complain(Exit::failed, from.error().message);
  if (Result<void> done = write_project(*from / chosen->dir, to, *chosen, arguments.name); !done)
    return complain(Exit::failed, done.error().message);
  if (json) {
    say(json_object({{"made", json_string(to.string())}}));
    return Exit::done;
  }
  say(fmt::format(
      "made {0}; next:\n  cmake -S {0} -B {0}/build && cmake --build {0}/build && ctest --test-dir {0}/build",
      shown(to.string())));
  return Exit::done;
}

}  // namespace

void add_plugin_new(Command& plugin, Context& context) {
  Command command = plugin.subcommand("new", "Begin a plugin: a project that builds, with tests and samples");
  auto arguments = std::make_shared<NewArguments>();
  command.argument("NAME", arguments->name, "The plugin's id");
  command.option("--kind", arguments->kind, "KIND", "lambda (the default) or source");
  command.option("--lang", arguments->language, "LANG", "cpp (the default), c or rust; go for a lambda");
  command.option("--dir", arguments->dir, "DIR", "Where to make it; else ./NAME");
  command.footer(
      "\nExamples:\n  cape plugin new geo_index\n  cape plugin new ticker --kind source --lang c\n"
      "  cape plugin new thumbs --lang rust");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_plugin_new(*arguments, context.json); };
    return std::string();
  });
}

}  // namespace cape::cli
