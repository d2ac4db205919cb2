// Each layer by itself, as the kernel shows it to the host: from inside, one layer hides whether another holds.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/child/either_way.hpp"
#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class RunningChild : public testing::Test {
 protected:
  void run(const ChildSpec& spec) {
    child_ = start_either_way([&](Spare* spare) { return ChildProcess::start(spec, spare); }).value();
    ASSERT_TRUE(wait_for_doorbell(*child_));
    plugin_ = only_child_of(child_->pid());
    ASSERT_GT(plugin_, 0);
  }
  int reaper() const { return child_->pid(); }
  int plugin() const { return plugin_; }

 private:
  std::unique_ptr<ChildProcess> child_;
  int plugin_ = 0;
};

std::string ns_of(int pid, const char* name) {
  std::error_code failed;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + name, failed).native();
}

std::string text_of(int pid, const char* file) {
  std::ostringstream text;
  text << std::ifstream("/proc/" + std::to_string(pid) + "/" + file).rdbuf();
  return text.str();
}

std::uint32_t owner_of_status(int pid) {
  struct stat at = {};
  return stat(("/proc/" + std::to_string(pid) + "/status").c_str(), &at) == 0 ? at.st_uid : UINT32_MAX;
}

// "MOUNT POINT OPTIONS TYPE" of each mount that the process sees.
std::vector<std::string> mounts_of(int pid) {
  std::vector<std::string> out;
  std::istringstream lines(text_of(pid, "mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, at, options, type;
    words >> word >> word >> word >> word >> at >> options;
    while (words >> word && word != "-") {}
    words >> type;
    out.push_back(at + " " + options + " " + type);
  }
  return out;
}

TEST_F(RunningChild, IsInNamespacesOfItsOwn) {
  run(spec_of("run sleep"));

  for (const char* name : {"user", "mnt", "net", "ipc", "uts", "pid"}) {
    EXPECT_NE(ns_of(plugin(), name), ns_of(getpid(), name)) << name;
    EXPECT_FALSE(ns_of(plugin(), name).empty());
  }
}

TEST_F(RunningChild, PluginHasAUserNamespaceInWhichNoIdExists) {
  run(spec_of("run sleep"));

  EXPECT_NE(ns_of(plugin(), "user"), ns_of(reaper(), "user"));
  EXPECT_EQ(text_of(plugin(), "uid_map"), "");
  EXPECT_EQ(text_of(plugin(), "gid_map"), "");
}

TEST_F(RunningChild, SeesOneReadOnlyRootInProfilePure) {
  run(spec_of("run sleep"));

  EXPECT_THAT(mounts_of(plugin()), ElementsAre(AllOf(HasSubstr("/ ro,nosuid,nodev,"), HasSubstr("tmpfs"))));
}

TEST_F(RunningChild, SeesItsGrantsWithoutProgramsAndDevices) {
  const TempDir dir;
  fs::create_directories(dir.path() / "in");
  fs::create_directories(dir.path() / "out");
  ChildSpec spec = spec_of("run sleep");
  spec.grant.read = {dir.path() / "in"};
  spec.grant.write = {dir.path() / "out"};
  run(spec);

  EXPECT_THAT(mounts_of(plugin()), UnorderedElementsAre(HasSubstr("/ ro,nosuid,nodev"),
                                                        HasSubstr("/in ro,nosuid,nodev,noexec"),
                                                        HasSubstr("/out rw,nosuid,nodev,noexec")));
}

TEST_F(RunningChild, NeitherProcessHasAnyPower) {
  run(spec_of("run sleep"));

  for (const int pid : {reaper(), plugin()}) {
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
      EXPECT_EQ(status_of(pid, set), "0000000000000000") << set << " of " << pid;
    EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
  }
}

TEST_F(RunningChild, PluginIsUnderThreeFiltersOnceEventsRun) {
  run(spec_of("run sleep"));

  EXPECT_EQ(status_of(plugin(), "Seccomp"), "2");
  EXPECT_EQ(status_of(plugin(), "Seccomp_filters"), "3");
}

TEST_F(RunningChild, HasAnIdThatNobodyUsesAndNoGroups) {
  if (geteuid() != 0) GTEST_SKIP() << "only a host that is root gives children an id of their own";
  run(spec_of("run sleep"));

  for (const int pid : {reaper(), plugin()}) {
    std::istringstream ids(status_of(pid, "Uid"));
    for (std::uint32_t id = 0; ids >> id;) EXPECT_GE(id, 1'000'000'000u);
    EXPECT_EQ(status_of(pid, "Groups"), "");
  }
}

TEST_F(RunningChild, CannotBeLookedIntoByItsOwnId) {
  if (geteuid() != 0) GTEST_SKIP() << "the owner tells it only when it differs from the child's id";
  run(spec_of("run sleep"));

  // The kernel gives the files of a process that may not be dumped to root.
  EXPECT_EQ(owner_of_status(reaper()), 0u);
  EXPECT_EQ(owner_of_status(plugin()), 0u);
}

TEST_F(RunningChild, ReaperHoldsNothingOfThePlugins) {
  if (geteuid() != 0) GTEST_SKIP() << "who may not be dumped shows its descriptors to root alone";
  run(spec_of("run sleep"));

  std::vector<std::string> fds;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(reaper()) + "/fd"))
    fds.push_back(fs::read_symlink(entry.path()).native());

  // Its socket, the life descriptor, the plugin's pidfd and the lease's timer.
  EXPECT_THAT(fds, UnorderedElementsAre(HasSubstr("socket:"), "/dev/null", HasSubstr("pidfd"), HasSubstr("timerfd")));
}

TEST_F(RunningChild, HasAnEmptyEnvironment) {
  if (geteuid() != 0) GTEST_SKIP() << "who may not be dumped shows its environment to root alone";
  run(spec_of("run sleep"));

  EXPECT_EQ(text_of(plugin(), "environ"), "");
}

}  // namespace
}  // namespace cape::child
