// A reader of a file can be broken by the file: then its child is, and nothing else.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "host/check/checker.hpp"
#include "host/check/confined.hpp"

namespace cape::check {
namespace {

using testing::HasSubstr;

volatile int* volatile nowhere_at_all = reinterpret_cast<int*>(8);

std::string crash() {
  *nowhere_at_all = 1;
  return {};
}

TEST(Confined, AnswersWhatWasRead) {
  std::string all(256, '\0');
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);

  const Confined answer = run_confined([&] { return all + std::string(20'000, 'x'); });

  EXPECT_EQ(answer.verdict, Verdict::pass) << answer.text;
  EXPECT_EQ(answer.text, all + std::string(20'000, 'x'));
}

TEST(Confined, LeavesNoProcessAndNoDescriptorBehind) {
  const int before = ::dup(STDERR_FILENO);
  ::close(before);

  for (int i = 0; i < 5; ++i) run_confined(i % 2 == 0 ? crash : [] { return std::string("fine"); });

  const int after = ::dup(STDERR_FILENO);
  ::close(after);
  EXPECT_EQ(after, before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

struct Breakage {
  const char* name;
  std::string (*read)();
  const char* words;
};

class BrokenReader : public testing::TestWithParam<Breakage> {};

TEST_P(BrokenReader, IsACrashOfItsChildAlone) {
  const Confined answer = run_confined(GetParam().read);

  EXPECT_EQ(answer.verdict, Verdict::crashed) << name_of(answer.verdict);
  EXPECT_THAT(answer.text, HasSubstr(GetParam().words));
}
INSTANTIATE_TEST_SUITE_P(
    All, BrokenReader,
    testing::Values(
        Breakage{"WritesNowhere", crash, "SIGSEGV"},
        Breakage{"Aborts", [] { return std::abort(), std::string(); }, "SIGABRT"},
        Breakage{"Throws", []() -> std::string { throw std::runtime_error("x"); }, "SIGABRT"},
        Breakage{"WantsAllMemory",
                 [] { return std::to_string(std::vector<char>(std::size_t{8} << 30).size()); }, "SIGABRT"},
        Breakage{"Exits", [] { return ::_exit(7), std::string(); }, "exited with 7"},
        Breakage{"AnswersWithoutEnd", [] { return std::string(4u << 20, 'x'); }, "without end"},
        Breakage{"OpensAFile", [] { return std::to_string(::open("/etc/passwd", O_RDONLY)); }, "SIGSYS"},
        Breakage{"Connects", [] { return std::to_string(::socket(AF_INET, SOCK_STREAM, 0)); }, "SIGSYS"},
        Breakage{"StartsAProcess", [] { return std::to_string(::fork()); }, "SIGSYS"},
        Breakage{"KillsItsParent", [] { return std::to_string(::kill(::getppid(), SIGKILL)); }, "SIGSYS"},
        Breakage{"WritesToTheTerminal", [] { return std::to_string(::write(STDOUT_FILENO, "x", 1)); },
                 "SIGSYS"},
        Breakage{"MakesCode",
                 [] {
                   void* at =
                       ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                   return std::string(at == MAP_FAILED ? "no" : "yes");
                 },
                 "SIGSYS"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Confined, ReaderThatHangsIsKilledAfterItsTime) {
  const Confined answer = run_confined(
      []() -> std::string {
        while (nowhere_at_all != nullptr) {
        }
        return {};
      },
      50);

  EXPECT_EQ(answer.verdict, Verdict::timeout);
  EXPECT_THAT(answer.text, HasSubstr("50 ms"));
}

// As on a kernel that has none.
void refuse_seccomp() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(filter)), filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    ::_exit(2);
}

TEST(ConfinedDeathTest, CrashStaysInItsChildWhereTheKernelHasNoSeccomp) {
  EXPECT_EXIT(
      {
        refuse_seccomp();
        const bool reads = run_confined([] { return std::string("fine"); }).text == "fine";
        ::_exit(reads && run_confined(crash).verdict == Verdict::crashed ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

Finding crashing(const Bench&) {
  *nowhere_at_all = 1;
  return {};
}
Finding hostile(const Bench&) {
  return {Verdict::fail, "\x1b[2J"};
}

// The checks of a file with one of them broken.
CheckReport checked_with(Finding (*broken)(const Bench&)) {
  std::vector<Check> checks = all_checks();
  for (Check& check : checks)
    if (std::string_view(check.id) == "S6") check.run = broken;
  CheckOptions options;
  options.only = {"S", "L1"};
  auto report = check_plugin(std::string(CAPE_CHECK_PLUGINS) + "/good_lambda.so", options, checks);
  if (report) return std::move(*report);
  ADD_FAILURE() << report.error().message;
  return {};
}

TEST(Checker, CheckThatCrashesIsToldAndTheOthersStillCome) {
  const CheckReport report = checked_with(crashing);

  ASSERT_EQ(report.checks.size(), 10u);
  EXPECT_FALSE(report.good());
  EXPECT_EQ(report.plugin, "check_guest");
  for (const Checked& one : report.checks) {
    const Verdict expected = one.id == "S6"   ? Verdict::crashed
                             : one.id == "L1" ? Verdict::skipped  // not loaded before its file is right
                                              : Verdict::pass;
    EXPECT_EQ(one.finding.verdict, expected) << one.id << ": " << one.finding.text;
  }
}

TEST(Checker, WordsOfABrokenReaderAreMadePrintable) {
  const CheckReport report = checked_with(hostile);

  EXPECT_FALSE(report.good());
  for (const Checked& one : report.checks)
    EXPECT_THAT(one.finding.text, testing::Not(HasSubstr("\x1b"))) << one.id;
}

}  // namespace
}  // namespace cape::check
