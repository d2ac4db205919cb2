// `cape search`: full-text search in what the lambda search_index has indexed. `cape` runs it as cape-search.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/base64.hpp"
#include "cli/console.hpp"
#include "cli/context.hpp"
#include "cli/json_dump.hpp"
#include "cli/search/find_index.hpp"
#include "cli/search/query.hpp"
#include "cli/search/search.hpp"
#include "core/types.hpp"

namespace cape::cli {
namespace {

struct Asked {
  std::vector<std::string> words;
  std::string index;
  std::int64_t limit = 20;
};

constexpr const char* examples =
    "\nExamples:\n"
    "  cape search bounded queue        files that hold both words\n"
    "  cape search 'dispatch*' --json   words that begin so\n"
    "\nExit codes: 0 done, also without a match; 1 failed; 2 usage or config.";

void print_json(const std::vector<Match>& matches) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Match& match : matches) {
    nlohmann::ordered_json item;
    if (is_utf8(match.path))
      item["path"] = match.path;
    else
      item["path_base64"] = encode_base64(match.path);
    item["snippet"] = match.snippet;
    list.push_back(std::move(item));
  }
  say(dump({{"matches", std::move(list)}}));
}

void print_text(const std::vector<Match>& matches) {
  for (const Match& match : matches) {
    say(shown(match.path));
    say("    " + shown(match.snippet));
  }
  if (matches.empty()) note("nothing found");
}

Ending run_search(const Context& context, const Asked& asked) {
  std::string typed;
  for (const std::string& word : asked.words) typed += word + " ";
  const std::string query = fts_query(typed);
  if (query.empty()) return complain(Exit::usage, "the query has no word; say what to look for");
  const auto config = load(context);
  if (!config) return config.error();
  const auto index = find_index(*config, asked.index);
  if (!index) return complain(Exit::usage, index.error());
  const auto matches = search(*index, query, asked.limit);
  if (!matches) return complain(Exit::failed, matches.error());
  context.json ? print_json(*matches) : print_text(*matches);
  return Exit::done;
}

int run(int argc, char** argv) {
  Context context;
  Asked asked;
  CLI::App app("Full-text search in the files that the lambda search_index has indexed.", "cape search");
  app.add_option("QUERY", asked.words, "Words that a file must hold; WORD* for those that begin so")
      ->required();
  app.add_option("--limit", asked.limit, "At most so many matches (20)")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  app.add_option("--index", asked.index,
                 "Which index, if the config has several: TOPOLOGY or TOPOLOGY/LAMBDA")
      ->type_name("NAME");
  app.add_option("--config", context.config_file, "The config file; else $CAPE_CONFIG, else ./cape.toml")
      ->type_name("FILE");
  app.add_flag("--json", context.json, "Print one JSON value instead of text");
  app.footer(examples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help
    return finish(complain(Exit::usage, shown(error.what()) + "; see `cape search --help`"),
                  json_wanted({argv, static_cast<std::size_t>(argc)}));
  }
  return finish(run_search(context, asked), context.json);
}

}  // namespace
}  // namespace cape::cli

int main(int argc, char** argv) {
  return cape::cli::run(argc, argv);
}
