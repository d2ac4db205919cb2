// Where /proc says that groups of children may be made. The texts are those of real machines.
#include <gtest/gtest.h>

#include "host/child/sandbox/cgroup.hpp"

namespace cape::child {
namespace {

TEST(CgroupPlace, OfVersionTwoIsOurGroupBelowItsMount) {
  const CgroupPlace place = cgroup_v2_place(
      "24 30 0:22 / /proc rw,nosuid - proc proc rw\n"
      "28 30 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/system.slice/cape.service\n");

  EXPECT_EQ(place.version, 2);
  EXPECT_EQ(place.memory, "/sys/fs/cgroup/system.slice/cape.service");
  EXPECT_EQ(place.pids, place.memory);
  EXPECT_EQ(place.cpu, place.memory);
}

TEST(CgroupPlace, OfVersionTwoInAContainerThatSeesItsOwnGroupAsTheRoot) {
  const char* mounts = "28 30 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";

  EXPECT_EQ(cgroup_v2_place(mounts, "0::/docker/abc\n").memory, "/sys/fs/cgroup");
  EXPECT_EQ(cgroup_v2_place(mounts, "0::/docker/abc/x\n").memory, "/sys/fs/cgroup/x");
  EXPECT_EQ(cgroup_v2_place(mounts, "0::/docker/abcd\n").version, 0) << "that group is not shown there";
}

TEST(CgroupPlace, OfVersionOneHasADirectoryForEachController) {
  const CgroupPlace place = cgroup_v1_place(
      "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
      "34 30 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
      "4:cpu,cpuacct:/\n3:memory:/jobs/7\n2:pids:/jobs\n1:cpuset:/\n0::/\n");

  EXPECT_EQ(place.version, 1);
  EXPECT_EQ(place.memory, "/sys/fs/cgroup/memory/jobs/7");
  EXPECT_EQ(place.pids, "/sys/fs/cgroup/pids/jobs");
  EXPECT_EQ(place.cpu, "/sys/fs/cgroup/cpu,cpuacct");
}

TEST(CgroupPlace, IsNowhereWhenAControllerIsMissing) {
  const CgroupPlace place = cgroup_v1_place(
      "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "3:memory:/\n2:pids:/\n1:cpu:/\n");

  EXPECT_EQ(place.version, 0);
  EXPECT_FALSE(place.missing.empty());
}

TEST(CgroupPlace, LinesThatAreNoneAreLeftOut) {
  EXPECT_EQ(cgroup_v2_place("", "").version, 0);
  EXPECT_EQ(cgroup_v2_place("28 30 0:26 / -\n - cgroup2\n", "0::\n:\nx\n").version, 0);
  EXPECT_EQ(cgroup_v1_place("garbage", "1:memory").version, 0);
}

}  // namespace
}  // namespace cape::child
