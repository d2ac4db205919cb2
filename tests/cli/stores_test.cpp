// What `cape` can tell while no broker runs: it reads the stores, and says so on stderr.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>

#include <map>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "storage/cursor_store.hpp"
#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using nlohmann::json;
using testing::AllOf;

using testing::HasSubstr;

json parsed(const Ran& ran) {
  return json::parse(ran.out, nullptr, false);
}

class CapeStores : public testing::Test {
 protected:
  CapeStores() { cape.write("cape.toml", small_config); }

  // Stores one record of domain history, as a broker would have left it.
  void store(const std::string& subject, const storage::CursorInfo& info, bool behind) {
    fs::create_directories(cape.directory() / "data");
    auto opened = storage::open_sqlite_store(cape.directory() / "data");
    ASSERT_TRUE(opened) << opened.error().message;
    storage::CursorStore& cursors = **opened;
    storage::WriteBatch batch;
    batch.cursors.push_back({cursors.new_subject_id(), "history", subject, behind, info});
    batch.sync = true;
    cursors.submit(std::move(batch));
    for (std::vector<storage::CommitDone> done; done.empty(); done = cursors.poll()) {
      pollfd wait{.fd = cursors.fd(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&wait, 1, 10'000), 1) << "the store did not commit";
    }
  }
  static storage::CursorInfo info(Sequence latest, storage::LambdaCursor write) {
    write.lambda = "write";
    return {.latest = latest, .topologies = {{.topology = "audit", .lambdas = {std::move(write)}}}};
  }

  CapeProcess cape;
};

TEST_F(CapeStores, PingWithoutABrokerExitsWith4) {
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"ping", "history", "a"}, {"ping", "history", "a", "--ack"}, {"status"}}) {
    const Ran ran = cape.run(line);

    EXPECT_EQ(ran.exit, 4) << line[0] << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(" up`")) << line[0];
    EXPECT_EQ(ran.out, "") << line[0];
  }
}

TEST_F(CapeStores, AppendedEventIsSeenBeforeAnyBrokerRan) {
  ASSERT_EQ(cape.run({"append", "history", "a", "--sequence", "7"}).exit, 0);

  const Ran ran = cape.run({"subject", "history", "a", "--json"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("no broker"));
  EXPECT_EQ(parsed(ran), json::parse(R"({"domain":"history","subject":"a","latest":7,"topologies":[
      {"topology":"audit","cursor":0,"state":null,"attempt":0,"reason":""}]})"));
  EXPECT_FALSE(fs::exists(cape.directory() / "data/cape.db")) << "reading makes no store";
}

TEST_F(CapeStores, SubjectThatIsUpToDateIsDone) {
  ASSERT_EQ(cape.run({"append", "history", "a", "--sequence", "7"}).exit, 0);
  store("a", info(7, {.cursor = 7}), false);

  EXPECT_EQ(parsed(cape.run({"subject", "history", "a", "--json"}))["topologies"][0]["state"], "done");

  ASSERT_EQ(cape.run({"append", "history", "a"}).exit, 0);
  const json answer = parsed(cape.run({"subject", "history", "a", "--json"}));
  EXPECT_EQ(answer["latest"], 8);
  EXPECT_EQ(answer["topologies"][0]["cursor"], 7);
  EXPECT_EQ(answer["topologies"][0]["state"], nullptr) << "only a broker knows what it waits for";
}

TEST_F(CapeStores, ParkedAndWaitingSubjectsShowAttemptAndReason) {
  store("parked",
        info(9, {.cursor = 3, .attempts = 4, .failed_sequence = 5, .parked = true, .reason = "no\x01 way"}),
        true);
  store("later",
        info(9, {.cursor = 3,
                 .attempts = 2,
                 .failed_sequence = 5,
                 .next_try_wall_ns = wall_ns() + 3600 * ns_per_s,
                 .reason = "locked"}),
        true);

  const json parked = parsed(cape.run({"subject", "history", "parked", "--json"}))["topologies"][0];
  const json later = parsed(cape.run({"subject", "history", "later", "--json"}))["topologies"][0];
  const Ran text = cape.run({"subject", "history", "parked"});

  EXPECT_EQ(parked["state"], "parked");
  EXPECT_EQ(parked["attempt"], 4);
  EXPECT_EQ(later["state"], "backing_off");
  EXPECT_EQ(later["attempt"], 2);
  EXPECT_EQ(later["reason"], "locked");
  EXPECT_THAT(text.out, AllOf(HasSubstr("parked"), HasSubstr("no\\x01 way")));
}

TEST_F(CapeStores, TopologiesCountWhatIsBehindAndParked) {
  EXPECT_EQ(parsed(cape.run({"topology", "list", "--json"}))["topologies"][0]["behind"], nullptr)
      << "no store yet";
  store("done", info(9, {.cursor = 9}), false);
  store("behind", info(9, {.cursor = 8}), true);
  store("parked", info(9, {.cursor = 3, .attempts = 1, .failed_sequence = 5, .parked = true}), true);

  const Ran ran = cape.run({"topology", "list", "--json"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("no broker"));
  EXPECT_EQ(parsed(ran), json::parse(R"({"topologies":[{"topology":"audit","domain":"history","mode":"strict",
      "lambdas":[{"lambda":"write","plugin":"audit_log"}],"behind":2,"parked":1,"stuck":0,"late":0}]})"));
  EXPECT_THAT(cape.run({"topology", "list"}).out, HasSubstr("write:audit_log"));
}

TEST_F(CapeStores, PluginFilesAreListedWithoutABroker) {
  cape.write("cape.toml", std::string("plugins = [\"plugins\"]\n") + small_config);
  const fs::path dir = cape.directory() / "plugins";
  fs::create_directories(dir);
  fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "../plugins/journal.so", dir / "mine.so");
  fs::copy_file("/proc/self/exe", dir / "program.so");
  fs::create_symlink("mine.so", dir / "link.so");
  fs::create_directory(dir / "directory.so");
  ASSERT_EQ(::mkfifo((dir / "fifo.so").c_str(), 0600), 0);
  cape.write("plugins/empty.so", "");
  cape.write("plugins/.hidden.so", "");
  cape.write("plugins/notes.txt", "");

  const Ran ran = cape.run({"plugin", "list", "--json"});

  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("no broker"));
  const json plugins = parsed(ran)["plugins"];
  ASSERT_GE(plugins.size(), 1u);
  EXPECT_EQ(plugins[0]["file"], (dir / "mine.so").string());
  EXPECT_EQ(plugins[0]["state"], nullptr);
  EXPECT_EQ(plugins[0]["hash"].get<std::string>().size(), 64u);
  for (std::size_t i = 1; i < plugins.size(); ++i)
    EXPECT_FALSE(plugins[i]["file"].get<std::string>().starts_with(dir.string())) << plugins[i];
  std::map<std::string, std::string> reasons;
  const json answer = parsed(ran);
  for (const json& aside : answer["set_aside"])
    reasons[fs::path(aside["file"].get<std::string>()).filename()] = aside["reason"];
  EXPECT_THAT(reasons, testing::UnorderedElementsAre(
                           testing::Pair("directory.so", "it is not a regular file"),
                           testing::Pair("empty.so", "it is empty"),
                           testing::Pair("fifo.so", "it is not a regular file"),
                           testing::Pair("link.so", HasSubstr("it is a symbolic link")),
                           testing::Pair("program.so", HasSubstr("check S1: it is a program"))));
  for (const json& plugin : plugins) EXPECT_TRUE(plugin["file"].get<std::string>().ends_with(".so"));
}

TEST_F(CapeStores, StoreThatIsNoDatabaseIsAClearError) {
  cape.write("data/cape.db", "this is not a database, however long it may be");

  const Ran ran = cape.run({"subject", "history", "a"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("cape.db"));
}

}  // namespace
}  // namespace cape::cli
