// The lambda `search_index`, loaded as it ships, over real files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <map>
#include <optional>

#include "tests/fakes/loaded_plugin.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Texts = std::map<std::string, std::string>;

class SearchIndex : public ::testing::Test {
 protected:
  SearchIndex() {
    fs::create_directories(dir_ / "tree");
    fs::create_directories(dir_ / "state");
    host_.config["root"] = (dir_ / "tree").string();
    host_.config["file_bytes_max"] = "100";
    host_.grant_state((dir_ / "state").string());
  }

  LambdaInstance& lambda() {
    if (!lambda_) lambda_.emplace(plugin_.factory<cape_lambda>(CAPE_FACTORY_LAMBDA), host_);
    return *lambda_;
  }
  void write(std::string_view path, std::string_view text) {
    fs::create_directories((dir_ / "tree" / path).parent_path());
    write_file(dir_ / "tree" / path, text);
  }
  cape_status tell(const std::string& type, const std::string& path) {
    return tell_payload(type, R"({"path":")" + path + "\"}");
  }
  cape_status tell_payload(const std::string& type, const std::string& payload) {
    FakeEvent event;
    event.type = type;
    event.payload = payload;
    FakeCall call;
    const cape_status status = lambda().process(call, event);
    why_ = call.errors.empty() ? "" : call.errors.begin()->second;
    return status;
  }
  // As another process sees it.
  Texts indexed() {
    Texts texts;
    sqlite3* db = nullptr;
    sqlite3_stmt* rows = nullptr;
    EXPECT_EQ(sqlite3_open_v2((dir_ / "state/index.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr),
              SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT file.path, text.body FROM file JOIN text ON text.rowid = file.id", -1,
                       &rows, nullptr);
    const auto bytes = [&](int column) {
      return std::string(static_cast<const char*>(sqlite3_column_blob(rows, column)),
                         static_cast<std::size_t>(sqlite3_column_bytes(rows, column)));
    };
    while (sqlite3_step(rows) == SQLITE_ROW) texts[bytes(0)] = bytes(1);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return texts;
  }

  TempDir dir_;
  FakeHost host_;
  LoadedPlugin plugin_{CAPE_SEARCH_INDEX_PLUGIN};
  std::optional<LambdaInstance> lambda_;
  std::string why_;
};

TEST_F(SearchIndex, BatchIsCommittedInFlush) {
  write("docs/a.txt", "one");
  EXPECT_EQ(tell("created", "docs/a.txt"), CAPE_OK);
  EXPECT_THAT(indexed(), IsEmpty());

  EXPECT_EQ(lambda().flush(), CAPE_OK);
  EXPECT_THAT(indexed(), ElementsAre(Pair("docs/a.txt", "one")));
}

TEST_F(SearchIndex, ReadsWhatTheFileHoldsNowHoweverOftenItIsTold) {
  write("a", "one");
  EXPECT_EQ(tell("created", "a"), CAPE_OK);
  write("a", "two");
  EXPECT_EQ(tell("created", "a"), CAPE_OK);
  EXPECT_EQ(tell("written", "a"), CAPE_OK);
  EXPECT_EQ(lambda().flush(), CAPE_OK);

  EXPECT_THAT(indexed(), ElementsAre(Pair("a", "two")));
}

TEST_F(SearchIndex, WhatIsToldGoneIsTakenOutThoughSomethingLiesThere) {
  write("a", "one");
  EXPECT_EQ(tell("created", "a"), CAPE_OK);
  EXPECT_EQ(tell("renamed_from", "a"), CAPE_OK);
  EXPECT_EQ(tell("deleted", "a"), CAPE_SKIPPED) << "the second time there is nothing to do";
  EXPECT_EQ(lambda().flush(), CAPE_OK);

  EXPECT_THAT(indexed(), IsEmpty());
}

TEST_F(SearchIndex, OnlyTextIsIndexed) {
  write("binary", std::string("a\0b", 3));
  write("latin", "caf\xe9");
  write("large", std::string(101, 'x'));
  write("fits", std::string(100, 'x'));
  write("empty", "");
  fs::create_symlink("fits", dir_ / "tree" / "link");
  ASSERT_EQ(::mkfifo((dir_ / "tree" / "fifo").c_str(), 0600), 0);

  for (const char* name : {"binary", "latin", "large", "link", "fifo", "nowhere", "no/where"})
    EXPECT_EQ(tell("created", name), CAPE_SKIPPED) << name;
  EXPECT_EQ(tell("created", "fits"), CAPE_OK);
  EXPECT_EQ(tell("created", "empty"), CAPE_OK);
  write("fits", std::string("\0", 1));
  EXPECT_EQ(tell("written", "fits"), CAPE_OK) << "it is no text any more";
  EXPECT_EQ(lambda().flush(), CAPE_OK);

  EXPECT_THAT(indexed(), ElementsAre(Pair("empty", "")));
}

TEST_F(SearchIndex, PathsLeadNowhereButBelowTheRoot) {
  write_file(dir_ / "secret", "secret");
  fs::create_directory_symlink(dir_.path(), dir_ / "tree" / "out");

  for (const char* path : {"../secret", "/etc/hostname", "out/secret", "./a", "a//b"})
    EXPECT_EQ(tell("created", path), CAPE_SKIPPED) << path;
}

TEST_F(SearchIndex, PathsThatAreNotUtf8ComeInBase64) {
  write("bad\xff", "text");
  EXPECT_EQ(tell_payload("created", R"({"path_base64":"YmFk/w=="})"), CAPE_OK);
  EXPECT_EQ(lambda().flush(), CAPE_OK);
  EXPECT_THAT(indexed(), ElementsAre(Pair("bad\xff", "text")));
}

TEST_F(SearchIndex, PayloadsOfOtherSourcesAreBadInput) {
  for (const char* payload : {"", "x", "[]", "{}", R"({"path":5})", R"({"path_base64":"*"})"})
    EXPECT_EQ(tell_payload("created", payload), CAPE_BAD_INPUT) << payload;
  EXPECT_THAT(why_, HasSubstr("'files'"));
}

TEST_F(SearchIndex, DamagedIndexFailsTheWholeBatchAndIsNamed) {
  write_file(dir_ / "state" / "index.db", std::string(8192, 'x'));
  write("a", "one");

  EXPECT_EQ(tell("created", "a"), CAPE_RETRY);
  EXPECT_THAT(why_, HasSubstr("index.db"));
  EXPECT_THAT(why_, HasSubstr("damaged"));
  EXPECT_EQ(lambda().flush(), CAPE_RETRY);

  fs::remove(dir_ / "state" / "index.db");
  EXPECT_EQ(tell("created", "a"), CAPE_OK);
  EXPECT_EQ(lambda().flush(), CAPE_OK);
  EXPECT_THAT(indexed(), ElementsAre(Pair("a", "one")));
}

TEST_F(SearchIndex, ConfigMistakesAreNamed) {
  host_.config.erase("root");
  EXPECT_EQ(lambda().created(), CAPE_BAD_CONFIG);
  lambda_.reset();
  host_.config["root"] = "/nowhere/at/all";
  EXPECT_EQ(lambda().created(), CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs.back(), HasSubstr("grant read"));
}

}  // namespace
}  // namespace cape::test
