// What waits in a spare, and that a child of it is no other than one that is started anew. That the walls are
// the same is shown by the other tests, which run with spares too (either_way.hpp).
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>

#include "core/unique_fd.hpp"
#include "host/child/spare.hpp"
#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<pid_t> our_children() {
  std::ifstream stream("/proc/self/task/" + std::to_string(getpid()) + "/children");
  return {std::istream_iterator<pid_t>(stream), {}};
}

std::unique_ptr<ChildProcess> start(const ChildSpec& spec, Spare& spare) {
  Result<std::unique_ptr<ChildProcess>> child = ChildProcess::start(spec, &spare);
  if (child) return std::move(*child);
  ADD_FAILURE() << child.error().message;
  return nullptr;
}

TEST(Spare, WaitingProcessBecomesTheNextChild) {
  Spare spare;
  spare.refill();
  const std::vector<pid_t> waiting = our_children();

  const auto first = start(spec_of("sleep"), spare), second = start(spec_of("sleep"), spare);

  EXPECT_THAT(waiting, ElementsAre(first->pid()));
  EXPECT_NE(second->pid(), first->pid());
  EXPECT_TRUE(wait_for_doorbell(*first));
  EXPECT_TRUE(wait_for_doorbell(*second));
}

std::string text_of_plugin(const ChildProcess& child, const std::string& file) {
  std::ifstream stream("/proc/" + std::to_string(only_child_of(child.pid())) + "/" + file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Spare, ChildOfItLooksAsAnyOther) {
  Spare spare;
  spare.refill();
  const auto of_spare = start(spec_of("sleep"), spare), anew = start(spec_of("sleep"), spare);
  ASSERT_TRUE(wait_for_doorbell(*of_spare) && wait_for_doorbell(*anew));

  EXPECT_STREQ(text_of_plugin(*of_spare, "cmdline").c_str() + sizeof "cape-runner", "audit/write");
  for (const char* file : {"cmdline", "comm", "limits", "oom_score_adj", "uid_map"})
    EXPECT_EQ(text_of_plugin(*of_spare, file), text_of_plugin(*anew, file)) << file;
  for (const char* field : {"NoNewPrivs", "Seccomp", "Seccomp_filters", "CapInh", "CapPrm", "CapEff",
                            "CapBnd", "CapAmb", "SigBlk", "SigIgn", "SigCgt", "Threads", "Groups"})
    EXPECT_EQ(status_of(only_child_of(of_spare->pid()), field), status_of(only_child_of(anew->pid()), field))
        << field;
}

TEST(Spare, IsNotForAChildWithGrants) {
  const TempDir dir;
  Spare spare;
  spare.refill();
  const std::vector<pid_t> waiting = our_children();
  ChildSpec files = spec_of("sleep"), network = spec_of("sleep");
  files.grant.read = {dir.path()};
  network.grant.network = {1};

  const auto with_files = start(files, spare), with_network = start(network, spare),
             pure = start(spec_of("sleep"), spare);

  EXPECT_THAT(waiting, ElementsAre(pure->pid()));
  EXPECT_NE(with_files->pid(), pure->pid());
  EXPECT_NE(with_network->pid(), pure->pid());
}

TEST(Spare, OneThatSomebodyKilledIsNotGiven) {
  Spare spare;
  spare.refill();
  const std::vector<pid_t> waiting = our_children();
  ASSERT_THAT(waiting, Not(IsEmpty()));
  const UniqueFd gone(static_cast<int>(syscall(SYS_pidfd_open, waiting[0], 0)));
  kill(waiting[0], SIGKILL);
  pollfd end = {gone.get(), POLLIN, 0};
  ASSERT_EQ(poll(&end, 1, 10'000), 1);

  const auto child = start(spec_of("sleep"), spare);

  ASSERT_TRUE(child);
  EXPECT_NE(child->pid(), waiting[0]);
  EXPECT_TRUE(wait_for_doorbell(*child));
}

TEST(Spare, IsDueOnceAChildHasAsked) {
  Spare spare;
  EXPECT_FALSE(spare.is_due());

  const auto child = start(spec_of("sleep"), spare);
  EXPECT_TRUE(spare.is_due());
  EXPECT_THAT(our_children(), ElementsAre(child->pid()));

  spare.refill();
  EXPECT_FALSE(spare.is_due());
  EXPECT_EQ(our_children().size(), 2u);
}

TEST(Spare, LeavesNoProcessBehind) {
  {
    Spare spare;
    spare.refill();
    EXPECT_EQ(our_children().size(), 1u);
  }
  EXPECT_THAT(our_children(), IsEmpty());
}

TEST(Spare, EndsWithItsHost) {
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const pid_t host = fork();
  if (host == 0) {
    Spare spare;
    spare.refill();
    const std::vector<pid_t> waiting = our_children();
    if (waiting.empty() || write(told[1], waiting.data(), sizeof(pid_t)) != sizeof(pid_t)) _exit(1);
    pause();
  }
  pid_t waiting = 0;
  ASSERT_EQ(read(told[0], &waiting, sizeof waiting), static_cast<ssize_t>(sizeof waiting));
  const UniqueFd gone(static_cast<int>(syscall(SYS_pidfd_open, waiting, 0)));
  ASSERT_TRUE(gone);

  kill(host, SIGKILL);

  pollfd end = {gone.get(), POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 10'000), 1);
  waitpid(host, nullptr, 0);
  close(told[0]), close(told[1]);
}

}  // namespace
}  // namespace cape::child
