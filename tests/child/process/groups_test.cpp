// What a control group of its own adds to a child: its processes are counted and limited together.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>
#include <fstream>
#include <set>

#include "host/child/sandbox/spawn.hpp"
#include "tests/child/either_way.hpp"
#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

std::string own_prefix() {
  return "cape-" + std::to_string(getpid()) + "-";
}

// Groups of our children, wherever one is made, but for those of `known`: a test before this one may have had
// a child without namespaces, whose last process may outlive its group's removal.
std::set<fs::path> own_groups(const std::set<fs::path>& known = {}) {
  const CgroupPlace& place = machine_facts().value().cgroups;
  std::set<fs::path> found;
  for (const fs::path& parent : {place.memory, place.pids, place.cpu})
    for (const auto& entry : fs::directory_iterator(parent))
      if (entry.path().filename().native().starts_with(own_prefix()) && !known.contains(entry.path()))
        found.insert(entry.path());
  return found;
}

std::string text_of(const fs::path& file) {
  std::string text;
  std::getline(std::ifstream(file), text);
  return text;
}

TEST(ControlGroup, MakesLevelAWhereLandlockIsNewEnough) {
  CAPE_NEEDS_GROUPS();
  const Seen seen = perform("report");

  const std::string version = std::to_string(machine_facts().value().cgroups.version);
  EXPECT_THAT(seen.said, Contains(Pair("layers", HasSubstr("cgroup:v" + version))));
  EXPECT_THAT(seen.said, Contains(Pair("missing", Not(HasSubstr("cgroup")))));
  const std::string& layers = seen.said.at("layers");
  const std::size_t landlock = layers.find("landlock:");
  const int abi = landlock == std::string::npos ? 0 : std::stoi(layers.substr(landlock + 9));
  EXPECT_THAT(seen.said, Contains(Pair("level", abi >= 6 ? "A" : "B")));
}

TEST(ControlGroup, HoldsTheChildWithItsLimitsAndGoesWithIt) {
  CAPE_NEEDS_GROUPS();
  ChildSpec spec = spec_of("sleep");
  spec.require_level = 'D';
  spec.limits.threads = 7;
  spec.limits.cpu_cores = 0.5;
  const std::set<fs::path> known = own_groups();
  auto child = start_either_way([&](Spare* spare) { return ChildProcess::start(spec, spare); });
  ASSERT_TRUE(child) << child.error().message;
  ASSERT_TRUE(wait_for_doorbell(**child));

  std::ifstream groups("/proc/" + std::to_string((*child)->pid()) + "/cgroup");
  const std::string text{std::istreambuf_iterator<char>(groups), {}};
  EXPECT_THAT(text, HasSubstr(own_prefix()));
  std::string pids, cores;
  for (const fs::path& group : own_groups(known)) {
    if (fs::exists(group / "pids.max")) pids = text_of(group / "pids.max");
    if (fs::exists(group / "cpu.max")) cores = text_of(group / "cpu.max");
    if (fs::exists(group / "cpu.cfs_quota_us")) cores = text_of(group / "cpu.cfs_quota_us") + " 100000";
  }
  EXPECT_EQ(pids, "11") << "threads and Cape's own processes";
  EXPECT_EQ(cores, "50000 100000");

  (*child)->kill();
  watch(**child);
  EXPECT_TRUE(own_groups(known).empty());
}

// Where version 2 is mounted a group can be made in it, with no controller too; the child of production has
// its limits.
TEST(ControlGroup, ProcessBeginsInAGroupOfVersionTwo) {
  const auto read_all = [](const std::string& file) {
    std::ifstream stream(file);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  const CgroupPlace place = cgroup_v2_place(read_all("/proc/self/mountinfo"), read_all("/proc/self/cgroup"));
  const Result<ChildGroup> group =
      place.version == 2 ? ChildGroup::make(place) : fail(ErrorCode::unavailable, "none");
  if (!group) GTEST_SKIP() << "no group of version 2 can be made here: " << group.error().message;
  const Result<GroupDoors> doors = group->open_doors();
  ASSERT_TRUE(doors && doors->group);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const int fd = null.get();

  const Result<Spawned> spawned = spawn({.program = "/bin/true",
                                         .namespaces = false,
                                         .doors = &*doors,
                                         .null_fd = fd,
                                         .stderr_fd = fd,
                                         .control_fd = fd,
                                         .reaper_fd = fd});

  ASSERT_TRUE(spawned) << spawned.error().message;
  if (!spawned->in_group) GTEST_SKIP() << "clone3() is refused here, or is not used on this processor";
  siginfo_t end = {};
  waitid(P_PIDFD, static_cast<id_t>(spawned->pidfd.get()), &end, WEXITED | WNOWAIT);
  EXPECT_THAT(read_all("/proc/" + std::to_string(spawned->pid) + "/cgroup"),
              HasSubstr("/" + group->dirs()[0].filename().native() + "\n"));
  EXPECT_EQ(waitpid(spawned->pid, nullptr, 0), spawned->pid);
}

TEST(ControlGroup, BoundsThreadsAlsoForAnIdThatOthersUse) {
  CAPE_NEEDS_GROUPS();
  ChildSpec spec = spec_of("threads 200");
  spec.require_level = 'D';
  spec.limits.threads = 20;

  const Seen seen = perform(spec);

  ASSERT_TRUE(seen.said.contains("threads"));
  EXPECT_LE(std::stoi(seen.said.at("threads")), 24);
}

// No rlimit counts it: the files lie in memory, and are nobody's pages.
TEST(ControlGroup, ChildThatFillsMemoryWithFilesIsEndedAndItIsSaidWhy) {
  CAPE_NEEDS_GROUPS();
  struct statfs shm = {};
  if (statfs("/dev/shm", &shm) != 0 || shm.f_type != TMPFS_MAGIC)
    GTEST_SKIP() << "/dev/shm lies not in memory";
  std::string dir = "/dev/shm/cape-groups-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  ChildSpec spec = spec_of("run fill " + dir + "/file 400");
  spec.grant.write = {dir};
  spec.limits.memory_bytes = 16u << 20;
  spec.limits.threads = 1;
  const std::set<fs::path> known = own_groups();

  const Seen seen = perform(spec);
  fs::remove_all(dir);

  EXPECT_TRUE(seen.end.out_of_memory);
  EXPECT_FALSE(seen.said.contains("mib")) << "it wrote " << seen.said.at("mib") << " MiB";
  EXPECT_TRUE(own_groups(known).empty());
}

}  // namespace
}  // namespace cape::child
