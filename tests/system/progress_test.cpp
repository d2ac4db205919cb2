// What a person at a terminal sees of a command that takes long.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/unique_fd.hpp"
#include "tests/fakes/pty.hpp"
#include "tests/system/process.hpp"
#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* topology = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
retry  = { first = "5m" }
[topology.seen.lambda.guest]
plugin = "retry_n"
)";

// `cape append history --jsonl -`, whose input the test writes line by line.
class SlowAppend {
 public:
  SlowAppend(const Site& site, const std::string& err) {
    site_ = &site;
    const fs::path fifo = site.dir() / "io" / "lines";
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    // For both at first: a start waits for its files, and a fifo for its other end.
    input_ = UniqueFd(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));
    pid_ = start_process(build_bin("cape"), {"append", "history", "--jsonl", "-", "--no-ping"},
                         {fifo, site.dir() / "io" / "append.out", err}, site.dir());
  }
  void write_line() const {
    const std::string_view line = "{\"subject\":\"a\"}\n";
    EXPECT_EQ(::write(input_.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  int end() {
    input_.reset();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return exit_code(status);
  }
  std::string out() const { return read_text(site_->dir() / "io" / "append.out"); }

 private:
  const Site* site_;
  UniqueFd input_;
  pid_t pid_ = -1;
};

TEST(ProgressOfAppend, IsShownOnATerminalAndGoneAtTheEnd) {
  Site site;
  site.configure(topology);
  Pty pty;
  SlowAppend append(site, pty.path());

  const bool shown = pty.eventually([&](Pty& p) {
    append.write_line();
    return p.lines().back().ends_with(" events appended");
  });

  EXPECT_TRUE(shown) << pty.bytes();
  EXPECT_EQ(append.end(), 0);
  EXPECT_TRUE(pty.eventually([](Pty& p) { return p.lines() == std::vector<std::string>{""}; }))
      << pty.bytes();
  EXPECT_THAT(append.out(), HasSubstr("events appended to history"));
}

TEST(ProgressOfAppend, IsNotWrittenToAFile) {
  Site site;
  site.configure(topology);
  const fs::path err = site.dir() / "io" / "append.err";
  SlowAppend append(site, err);
  const auto begun = std::chrono::steady_clock::now();

  // For longer than it takes a terminal to show it.
  Site::eventually(
      [&] {
        append.write_line();
        return std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(1500);
      },
      std::chrono::seconds(10));

  EXPECT_EQ(append.end(), 0);
  EXPECT_EQ(read_text(err), "");
}

TEST(ProgressOfUpUntilIdle, GivesWayToTheLogAndIsGoneAtTheEnd) {
  Site site;
  site.configure(topology);
  site.add_plugin("retry_n");
  ASSERT_EQ(site.cape({"append", "history", "a", "--no-ping"}).exit, 0);
  Pty pty(200);
  const pid_t pid = start_process(build_bin("cape"), {"up", "--until-idle", "--timeout", "4s"},
                                  {"/dev/null", site.dir() / "io" / "up.out", pty.path()}, site.dir());

  const bool shown =
      pty.eventually([](Pty& p) { return p.lines().back().starts_with("0 events done, 0 a second; "); });
  int status = 0;
  const bool ended = Site::eventually(
      [&] {
        pty.bytes();  // or the terminal is full and it waits
        return ::waitpid(pid, &status, WNOHANG) == pid;
      },
      std::chrono::seconds(60));
  if (!ended) ::kill(pid, SIGKILL);

  EXPECT_TRUE(shown) << pty.bytes();
  ASSERT_TRUE(ended) << pty.bytes();
  EXPECT_EQ(exit_code(status), 5) << pty.bytes();
  EXPECT_TRUE(pty.eventually([](Pty& p) { return p.lines().back().empty(); })) << pty.bytes();
  const std::vector<std::string> lines = pty.lines();
  EXPECT_THAT(lines, testing::Contains(testing::StartsWith("why: history 'a' seen: cursor 0, latest 1")));
  EXPECT_THAT(lines, testing::Each(Not(HasSubstr("events done")))) << pty.bytes();
}

}  // namespace
}  // namespace cape::test
