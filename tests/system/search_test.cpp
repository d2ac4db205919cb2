// Files to search results, with the real `cape up`: the source `files`, the lambda `search_index`, `cape
// search`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/system/site.hpp"
#include "tests/system/tree_maker.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t text_bytes_max = 4'096;

std::string searched(const std::string& root) {
  return R"(
[domain.files]
source = "files"
config = { root = ")" +
         root + R"(", ignore = ["io"] }
grant  = { read = [")" +
         root + R"("], state = true }
)";
}
std::string topology(const std::string& name, const std::string& root) {
  return "[topology." + name + "]\ndomain = \"files\"\nretry = { first = \"10ms\" }\n[topology." + name +
         ".lambda.index]\nplugin = \"search_index\"\nconfig = { root = \"" + root +
         "\", file_bytes_max = 4096 }\ngrant = { read = [\"" + root + "\"], state = true }\n";
}

class Database {
 public:
  explicit Database(const fs::path& file) {
    if (sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
      ADD_FAILURE() << file;
    sqlite3_busy_timeout(db_, 5'000);
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::vector<std::vector<std::string>> rows(const std::string& sql) const {
    sqlite3_stmt* statement = nullptr;
    std::vector<std::vector<std::string>> all;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return all;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      auto& row = all.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
        row.emplace_back(bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      }
    }
    sqlite3_finalize(statement);
    return all;
  }
  bool run(const char* sql) const { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

 private:
  sqlite3* db_ = nullptr;
};

class Search : public ::testing::Test {
 protected:
  Search() { fs::create_directories(tree()); }

  fs::path tree() const { return site_.dir() / "tree"; }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((tree() / path).parent_path());
    std::ofstream(tree() / path, std::ios::binary | std::ios::trunc) << text;
  }
  std::vector<std::string> found(const std::string& word) const {
    std::vector<std::string> paths;
    const Finished search = site_.cape({"search", word, "--json"});
    if (search.exit != 0) return {search.err};
    const auto answer = nlohmann::json::parse(search.out);
    for (const auto& match : answer.at("matches")) paths.push_back(match.value("path", "?"));
    return paths;
  }
  bool finds(const std::string& word, const std::vector<std::string>& paths) const {
    if (Site::eventually([&] { return found(word) == paths; }, seconds(30))) return true;
    ADD_FAILURE() << "found instead: " << ::testing::PrintToString(found(word));
    return false;
  }
  std::map<std::string, std::string> indexed(const std::string& name) const {
    const Database index(site_.data() / "state" / name / "index" / "index.db");
    EXPECT_TRUE(index.run("INSERT INTO text(text) VALUES ('integrity-check')")) << name;
    std::map<std::string, std::string> texts;
    for (const auto& row :
         index.rows("SELECT file.path, text.body FROM file JOIN text ON text.rowid = file.id"))
      texts[row[0]] = row[1];
    EXPECT_EQ(index.rows("SELECT count(*) FROM text")[0][0], std::to_string(texts.size()));
    return texts;
  }
  // Events journalled so far.
  std::int64_t journalled() const {
    const fs::path file = site_.data() / "state" / "domain" / "files" / "files.db";
    if (!fs::exists(file)) return 0;
    const Database ledger(file);
    const auto rows = ledger.rows("SELECT CAST(coalesce(max(sequence), 0) AS TEXT) FROM event");
    return rows.empty() ? 0 : std::stoll(rows[0][0]);
  }

  Site site_;
};

TEST_F(Search, FindsAWordInAFileThatWasJustWritten) {
  site_.configure(searched("tree") + topology("search", "tree"));
  write("docs/old.md", "an old porcupine");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(finds("porcupine", {"docs/old.md"})) << site_.up_log();

  const auto begun = std::chrono::steady_clock::now();
  write("docs/new.md", "a wombat, quite new");
  ASSERT_TRUE(finds("wombat", {"docs/new.md"})) << site_.up_log();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  std::printf("written to found: %.0f ms\n", took.count());

  const Finished text = site_.cape({"search", "womb*"});
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("docs/new.md\n    a [wombat], quite new"));
  fs::rename(tree() / "docs", tree() / "texts");
  EXPECT_TRUE(finds("wombat", {"texts/new.md"}));
  fs::remove(tree() / "texts" / "new.md");
  EXPECT_TRUE(finds("wombat", {}));
  EXPECT_EQ(site_.cape({"search", "porcupine", "old"}).exit, 0);

  site_.kill_up(SIGTERM);
  EXPECT_EQ(found("porcupine"), std::vector<std::string>{"texts/old.md"}) << "no broker is needed";
}

// Whoever was granted the old directory sees the old one for ever: both children have to start anew.
TEST_F(Search, FollowsARootThatIsRemovedAndMadeAgain) {
  site_.configure(searched("tree") + topology("search", "tree"));
  write("old.md", "an old porcupine");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(finds("porcupine", {"old.md"})) << site_.up_log();

  fs::remove_all(tree());
  fs::create_directories(tree());
  write("new.md", "a wombat, quite new");

  EXPECT_TRUE(finds("wombat", {"new.md"})) << site_.up_log();
  EXPECT_TRUE(finds("porcupine", {})) << site_.up_log();
}

TEST_F(Search, SaysWhatIsWrong) {
  EXPECT_EQ(site_.cape({"search", "x"}).exit, 2) << "no config";
  site_.configure("");
  EXPECT_THAT(site_.cape({"search", "x"}).err, HasSubstr("no lambda"));
  site_.configure(searched("tree") + topology("one", "tree") + topology("two", "tree"));
  const Finished several = site_.cape({"search", "x"});
  EXPECT_EQ(several.exit, 2);
  EXPECT_THAT(several.err, HasSubstr("--index: one/index, two/index"));
  const Finished none = site_.cape({"search", "--index", "two", "x"});
  EXPECT_EQ(none.exit, 1);
  EXPECT_THAT(none.err, HasSubstr("start `cape up`"));
  EXPECT_EQ(site_.cape({"search", " "}).exit, 2);
}

TEST_F(Search, DataDirectoryInsideTheRootIsNotIndexed) {
  site_.configure(searched(".") + topology("search", "."));
  write("a.txt", "kangaroo");
  ASSERT_TRUE(site_.up()) << site_.up_log();
  ASSERT_TRUE(finds("kangaroo", {"tree/a.txt"})) << site_.up_log();

  const Database ledger(site_.data() / "state" / "domain" / "files" / "files.db");
  for (const auto& row : ledger.rows("SELECT name FROM subject")) EXPECT_THAT(row[0], Not(HasSubstr("data")));
  site_.kill_up(SIGTERM);
  const std::int64_t before = journalled();
  EXPECT_EQ(site_.cape({"up", "--until-idle"}).exit, 0);
  EXPECT_EQ(journalled(), before) << "nothing that Cape does is a change";
}

// What stands in one of them alone or otherwise; empty: they are equal.
std::string difference(const std::map<std::string, std::string>& index,
                       const std::map<std::string, std::string>& tree) {
  std::string text;
  for (const auto& [path, body] : index) {
    const auto there = tree.find(path);
    if (there == tree.end())
      text += "only in the index: " + path + "\n";
    else if (there->second != body)
      text += "other text in the index: " + path + "\n";
  }
  for (const auto& [path, body] : tree)
    if (index.count(path) == 0) text += "only in the tree: " + path + "\n";
  return text;
}

std::uint64_t chosen_seed() {
  const char* given = std::getenv("CAPE_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

TEST_F(Search, IndexEqualsOneBuiltFromScratchWhateverWasKilled) {
  constexpr int operations = 10'000, operations_a_round = 250;
  const std::uint64_t seed = chosen_seed();
  SCOPED_TRACE("repeat with: CAPE_SEED=" + std::to_string(seed) +
               " ./run test -L system -R Search.IndexEquals");
  std::mt19937_64 random(seed);
  TreeMaker maker(tree(), random());
  site_.configure(searched("tree") + topology("search", "tree"));

  ASSERT_TRUE(site_.up()) << site_.up_log();
  int kills = 0;
  for (int done = 0; done < operations; done += operations_a_round) {
    const std::int64_t before = journalled();
    for (int i = 0; i < operations_a_round; ++i) maker.change();
    if (site_.up_pid() <= 0) {  // it was down while these were done
      ASSERT_TRUE(site_.up()) << site_.up_log();
    }
    ASSERT_TRUE(Site::eventually([&] { return journalled() > before; }, seconds(30))) << site_.up_log();
    const std::size_t what = random() % 4;
    const std::vector<pid_t> children = Site::descendants(site_.up_pid());
    if (what == 0) site_.kill_up(SIGKILL);
    if (what == 1 && !children.empty()) ::kill(children[random() % children.size()], SIGKILL);
    kills += what < 2;
  }
  if (site_.up_pid() > 0) site_.kill_up(SIGTERM);
  ASSERT_TRUE(Site::eventually([&] { return site_.left_processes().empty(); }, seconds(10)));
  const Finished rest = site_.cape({"up", "--until-idle", "--timeout", "60s"});
  ASSERT_EQ(rest.exit, 0) << rest.err;

  const auto wanted = texts_in(tree(), text_bytes_max);
  EXPECT_EQ(difference(indexed("search"), wanted), "");
  site_.configure(searched("tree") + topology("search", "tree") + topology("scratch", "tree"));
  const Finished scratch = site_.cape({"up", "--until-idle", "--timeout", "60s"});
  ASSERT_EQ(scratch.exit, 0) << scratch.err;
  EXPECT_EQ(difference(indexed("scratch"), wanted), "");
  EXPECT_GT(wanted.size(), 20u);
  std::printf("seed %llu: %d operations, %d kills, %lld events, %zu files in the index\n",
              static_cast<unsigned long long>(seed), operations, kills, static_cast<long long>(journalled()),
              wanted.size());
}

}  // namespace
}  // namespace cape::test
