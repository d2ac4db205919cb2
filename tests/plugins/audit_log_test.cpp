// The lambda `audit_log`, loaded as it ships, over a real directory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "tests/fakes/loaded_plugin.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

// No file of this process may grow beyond `bytes` while it lives: what a full disk does to a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit lower = old_;
    lower.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

class AuditLog : public ::testing::Test {
 protected:
  AuditLog() { host_.grant_state(dir_.path().string()); }

  LambdaInstance& log() {
    if (!log_) log_.emplace(plugin_.factory<cape_lambda>(CAPE_FACTORY_LAMBDA), host_);
    return *log_;
  }
  void write(const FakeEvent& event) {
    ASSERT_EQ(log().process(event), CAPE_OK);
    ASSERT_EQ(log().flush(), CAPE_OK);
  }
  // Of the day on which the test runs: of both, if it runs over midnight.
  std::string written() const {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) all += read_file(entry.path());
    return all;
  }
  std::filesystem::path today() const {
    const std::time_t now = std::time(nullptr);
    std::tm day{};
    ::gmtime_r(&now, &day);
    char name[32];
    std::strftime(name, sizeof name, "%Y-%m-%d.jsonl", &day);
    return dir_ / name;
  }

  TempDir dir_;
  FakeHost host_;
  LoadedPlugin plugin_{CAPE_AUDIT_LOG_PLUGIN};
  std::optional<LambdaInstance> log_;
};

TEST_F(AuditLog, WritesOneLineForAnEvent) {
  FakeEvent event;
  event.subject = "order/17";
  event.sequence = 42;
  event.type = "paid";
  event.payload = "{\"sum\": 3}";

  write(event);

  EXPECT_EQ(read_file(today()),
            R"({"domain":"history","subject":"order/17","sequence":42,"time_ns":1700000000000000000,)"
            R"("type":"paid","payload":"{\"sum\": 3}","fence":7})"
            "\n");
}

TEST_F(AuditLog, LinesAreInTheFileWhenFlushReturns) {
  for (int i = 1; i <= 3; ++i) {
    FakeEvent event;
    event.sequence = i;
    ASSERT_EQ(log().process(event), CAPE_OK);
  }

  ASSERT_EQ(log().flush(), CAPE_OK);

  std::istringstream lines(written());
  std::vector<std::int64_t> sequences;
  for (std::string line; std::getline(lines, line);) sequences.push_back(Json::parse(line).at("sequence"));
  EXPECT_THAT(sequences, ElementsAre(1, 2, 3));
}

TEST_F(AuditLog, TextOfAnyCharactersComesBackAsItWas) {
  std::string text = "\"quotes\" \\ / \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xA7 \x7F\n";
  for (char c = 0; c < 0x20; ++c) text += c;
  FakeEvent event;
  event.payload = text;

  write(event);

  EXPECT_EQ(Json::parse(written()).at("payload"), text);
  const std::string line = written();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST_F(AuditLog, BytesThatAreNotTextStandInBase64) {
  // RFC 4648 has the encodings; each is made binary by a first byte that no UTF-8 text holds.
  const std::pair<std::string, std::string> cases[] = {{"\xFF", "/w=="},
                                                       {"\xFF\xFE", "//4="},
                                                       {"\xFF\xFE\xFD", "//79"},
                                                       {std::string("\xFF\0\0\0", 4), "/wAAAA=="}};
  for (const auto& [payload, base64] : cases) {
    FakeEvent event;
    event.payload = payload;
    ASSERT_EQ(log().process(event), CAPE_OK);
  }
  ASSERT_EQ(log().flush(), CAPE_OK);

  std::istringstream lines(written());
  for (const auto& [payload, base64] : cases) {
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(Json::parse(line).at("payload_base64"), base64);
    EXPECT_FALSE(Json::parse(line).contains("payload"));
  }
}

TEST_F(AuditLog, MalformedUtf8IsNotTakenForText) {
  const std::string malformed[] = {"\x80",         "\xC3",         "\xC0\x80",
                                   "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                   "\xF0\x9F\x90", "ok\xFFok",     "\xF8\x88\x80\x80\x80"};
  for (const std::string& payload : malformed) {
    SCOPED_TRACE(::testing::PrintToString(payload));
    std::filesystem::remove(today());
    FakeEvent event;
    event.payload = payload;
    write(event);
    EXPECT_TRUE(Json::parse(written()).contains("payload_base64"));
  }
}

TEST_F(AuditLog, TypeThatIsNotTextDoesNotSpoilTheLine) {
  FakeEvent event;
  event.type =
      "a\xFF"
      "b";

  write(event);

  EXPECT_EQ(Json::parse(written()).at("type"),
            "a\xEF\xBF\xBD"
            "b");
}

TEST_F(AuditLog, IncompleteLastLineIsCutAtStart) {
  const std::string whole = "{\"sequence\":1}\n{\"sequence\":2}\n";
  write_file(today(), whole + "{\"seq" + std::string(10'000, 'x'));

  ASSERT_EQ(log().created(), CAPE_OK);

  EXPECT_EQ(read_file(today()), whole);
  EXPECT_THAT(host_.logs, ElementsAre(HasSubstr("10005 bytes")));
}

TEST_F(AuditLog, FileWithoutAWholeLineIsEmptiedAtStart) {
  write_file(today(), std::string(5'000, 'x'));

  ASSERT_EQ(log().created(), CAPE_OK);

  EXPECT_EQ(read_file(today()), "");
}

TEST_F(AuditLog, WholeLinesAreKeptAtStart) {
  write_file(today(), "{\"sequence\":1}\n");

  write(FakeEvent{});

  EXPECT_THAT(read_file(today()), ::testing::StartsWith("{\"sequence\":1}\n{\"domain\""));
  EXPECT_THAT(host_.logs, IsEmpty());
}

TEST_F(AuditLog, FullDiskLeavesWholeLinesAndIsTriedAgain) {
  write(FakeEvent{});
  const std::string before = written();
  FakeEvent second;
  second.sequence = 2;
  FakeCall flush;
  {
    const FileSizeLimit full(before.size() + 20);
    ASSERT_EQ(log().process(second), CAPE_OK);
    EXPECT_EQ(log().flush(flush), CAPE_RETRY);
  }

  EXPECT_EQ(written(), before) << "20 bytes fitted: they must not stay";
  EXPECT_THAT(flush.errors[0], HasSubstr(".jsonl cannot be written"));
  ASSERT_EQ(log().flush(), CAPE_OK);
  EXPECT_EQ(written(), before) << "a batch that failed must not be written behind its back";

  second.fence = 8;
  write(second);
  EXPECT_THAT(written(), ::testing::EndsWith("\"fence\":8}\n"));
}

TEST_F(AuditLog, LargeBatchThatCannotBeWrittenFailsAsAWhole) {
  FakeEvent large;
  large.payload = std::string(3u << 20, 'p');
  FakeCall flush;
  {
    const FileSizeLimit full(1u << 20);
    ASSERT_EQ(log().process(large), CAPE_OK);
    ASSERT_EQ(log().process(large), CAPE_OK);
    FakeCall refused;
    EXPECT_EQ(log().process(refused, large), CAPE_RETRY) << "it is known by now that nothing can be written";
  }

  EXPECT_EQ(log().flush(flush), CAPE_RETRY);
  EXPECT_EQ(written(), "");
  write(FakeEvent{});
  EXPECT_EQ(Json::parse(written()).at("payload"), "text");
}

TEST_F(AuditLog, LargeBatchIsWritten) {
  FakeEvent large;
  large.payload = std::string(3u << 20, 'p');
  for (int i = 0; i < 5; ++i) ASSERT_EQ(log().process(large), CAPE_OK);

  ASSERT_EQ(log().flush(), CAPE_OK);

  const std::string lines = written();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 5);
  EXPECT_GT(lines.size(), 15u << 20);
}

TEST_F(AuditLog, DirectoryThatIsGoneIsNamedAndTriedAgain) {
  ASSERT_EQ(log().created(), CAPE_OK);
  std::filesystem::remove_all(dir_.path());
  FakeCall flush;

  ASSERT_EQ(log().process(FakeEvent{}), CAPE_OK);
  EXPECT_EQ(log().flush(flush), CAPE_RETRY);
  EXPECT_THAT(flush.errors[0], HasSubstr("cannot be opened"));

  std::filesystem::create_directory(dir_.path());
  write(FakeEvent{});
  EXPECT_THAT(written(), SizeIs(::testing::Gt(0u)));
}

TEST_F(AuditLog, FileThatWasTakenAwayIsMadeAnew) {
  write(FakeEvent{});
  std::filesystem::rename(today(), dir_ / "archived");
  FakeEvent second;
  second.sequence = 2;

  write(second);

  EXPECT_EQ(Json::parse(read_file(today())).at("sequence"), 2);
}

TEST_F(AuditLog, SyncedLinesAreWrittenToo) {
  host_.config["sync"] = "true";

  write(FakeEvent{});

  EXPECT_EQ(Json::parse(written()).at("sequence"), 1);
  ASSERT_EQ(log().flush(), CAPE_OK) << "of a batch without lines";
}

TEST_F(AuditLog, WithoutAStateGrantItSaysWhatToDo) {
  host_.grant_state("");

  EXPECT_EQ(log().created(), CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs, ElementsAre(HasSubstr("grant = { state = true }")));
}

TEST_F(AuditLog, ConfigOfTheWrongTypeIsRefused) {
  host_.config["sync"] = "yes";

  EXPECT_EQ(log().created(), CAPE_BAD_CONFIG);
  EXPECT_THAT(host_.logs, ElementsAre(HasSubstr("'sync' must be true or false")));
}

}  // namespace
}  // namespace cape::test
