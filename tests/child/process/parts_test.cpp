// The parts of a child's process that need no process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/clock.hpp"
#include "host/child/runner/sandbox.hpp"
#include "host/child/sandbox/filters.hpp"
#include "host/child/sandbox/shared_memory.hpp"
#include "host/child/sandbox/stderr_lines.hpp"
#include "host/child/sandbox/trapped_calls.hpp"
#include "host/child/setup.hpp"
#include "host/child/violation.hpp"

namespace cape::child {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Setup full_setup() {
  Setup setup;
  setup.kind = 1;
  setup.plugin_file = "/plugins/a.so";
  setup.config_json = R"({"a":1})";
  setup.read = {"/a", "/b"};
  setup.state_dir = "/state";
  setup.inner_uid = 1'870'000'001;
  setup.root_host = setup.namespaces = setup.own_uid = true;
  setup.require_level = 'C';
  setup.memory_bytes = 1ull << 40;
  setup.output_bytes = 77;
  setup.seccomp_guard = std::string("\0\1\2", 3);
  setup.seccomp_run = "run";
  return setup;
}

TEST(SetupBytes, ComesBackAsItWas) {
  const child::Setup before = full_setup();

  const Result<child::Setup> after = child::Setup::decode(before.encode());

  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->encode(), before.encode());
  EXPECT_EQ(after->read, before.read);
  EXPECT_EQ(after->inner_uid, before.inner_uid);
  EXPECT_EQ(after->require_level, 'C');
  EXPECT_EQ(after->seccomp_guard, before.seccomp_guard);
  EXPECT_EQ(after->output_bytes, 77u);
}

TEST(SetupBytes, EveryCutIsRefused) {
  const std::string whole = full_setup().encode();

  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_FALSE(child::Setup::decode(std::string_view(whole).substr(0, bytes))) << bytes;
}

TEST(SetupBytes, OtherShapeIsRefused) {
  EXPECT_FALSE(child::Setup::decode("\x93\x01\x02\x03"));  // an array of three
  EXPECT_FALSE(child::Setup::decode("\xc0"));              // nil
}

TEST(StderrLines, LineIsPrintableAndCut) {
  StderrLines lines;
  std::vector<std::string> out;

  lines.feed("one\n\x1b[31mtwo\nthr", 0, out);
  lines.feed("ee\n" + std::string(5000, 'x') + "\nopen", 0, out);
  lines.finish(0, out);

  ASSERT_EQ(out.size(), 5u);
  EXPECT_EQ(out[0], "one");
  EXPECT_EQ(out[1], "\\x1B[31mtwo");
  EXPECT_EQ(out[2], "three");
  EXPECT_EQ(out[3].size(), StderrLines::line_bytes_max);
  EXPECT_TRUE(out[3].ends_with("..."));
  EXPECT_EQ(out[4], "open");
}

TEST(StderrLines, FloodIsDroppedCountedAndForgivenWithTime) {
  StderrLines lines;
  std::vector<std::string> out;

  for (int i = 0; i < 1000; ++i) lines.feed("x\n", 0, out);
  EXPECT_EQ(out.size(), StderrLines::burst_lines);
  EXPECT_EQ(lines.take_dropped(), 1000u - StderrLines::burst_lines);

  out.clear();
  for (int i = 0; i < 1000; ++i) lines.feed("x\n", ns_per_s, out);
  EXPECT_EQ(out.size(), StderrLines::lines_per_s);
}

TEST(SharedMemory, NobodyElseCanMapRequestsForWriting) {
  Result<SharedMemory> memory = SharedMemory::make(1 << 20);
  ASSERT_TRUE(memory) << memory.error().message;

  EXPECT_FALSE(Mapping::of(memory->request_fd(), header_bytes, PROT_READ | PROT_WRITE));
  EXPECT_TRUE(Mapping::of(memory->request_fd(), header_bytes, PROT_READ));
  EXPECT_EQ(pwrite(memory->request_fd(), "x", 1, 0), -1);
}

TEST(SharedMemory, NeitherFileChangesItsSize) {
  Result<SharedMemory> memory = SharedMemory::make(1 << 20);
  ASSERT_TRUE(memory);

  for (const int fd : {memory->request_fd(), memory->response_fd()}) {
    EXPECT_EQ(ftruncate(fd, 0), -1);
    EXPECT_EQ(ftruncate(fd, 4 << 20), -1);
    EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
  }
}

std::uint64_t bytes_in_memory(int fd) {
  struct stat file = {};
  return fstat(fd, &file) == 0 ? static_cast<std::uint64_t>(file.st_blocks) * 512 : 0;
}

TEST(SharedMemory, IsBackedAsFarAsTheRingHasBeenUsedAndNoFurther) {
  Result<SharedMemory> memory = SharedMemory::make(1 << 20);
  ASSERT_TRUE(memory);
  EXPECT_EQ(bytes_in_memory(memory->request_fd()), header_bytes);

  ASSERT_TRUE(memory->back_request(0, 100));
  const std::uint64_t first = bytes_in_memory(memory->request_fd());
  ASSERT_TRUE(memory->back_request(100, 5000));
  EXPECT_EQ(bytes_in_memory(memory->request_fd()), first) << "within the step that is there";
  EXPECT_GE(first, header_bytes + 100u);
  EXPECT_LE(first, header_bytes + (256u << 10));

  ASSERT_TRUE(memory->back_request((1 << 20) - 10, 20));  // round the end
  EXPECT_EQ(bytes_in_memory(memory->request_fd()), header_bytes + (1u << 20));
  ASSERT_TRUE(memory->back_request(1ull << 40, 4096));
}

TEST(SharedMemory, RingHoldsTwoOfTheLargestPayloads) {
  EXPECT_EQ(ring_bytes_for(0, 1 << 10), 1u << 20);
  EXPECT_GE(ring_bytes_for(0, 16 << 20), 32u << 20);
  EXPECT_EQ(ring_bytes_for(0, 1'000'001) % 4096, 0u);
  EXPECT_EQ(ring_bytes_for(8192, 1 << 20), 8192u);
}

TEST(Filters, FitTheKernelsLimit) {
  for (const Profile profile : {Profile::pure, Profile::files}) {
    const Result<FilterSet> filters = compile_filters(profile);

    ASSERT_TRUE(filters) << filters.error().message;
    for (const std::string* program : {&filters->guard, &filters->load, &filters->run}) {
      EXPECT_GT(program->size(), 8u);
      EXPECT_LT(program->size() / 8, 4096u);
    }
  }
}

Layers walled() {
  Layers layers;
  for (const char* layer : {"userns", "pidns", "ipcns", "netns", "mountns", "caps", "seccomp", "landlock:7"})
    layers.on(layer);
  return layers;
}

TEST(Layers, LevelFollowsWhatIsOn) {
  EXPECT_EQ(walled().level(), 'B');
  Layers counted = walled();
  counted.on("cgroup:v2");
  EXPECT_EQ(counted.level(), 'A');
  Layers flat;
  flat.on("seccomp");
  EXPECT_EQ(flat.level(), 'D');
  flat.on("landlock:3");
  EXPECT_EQ(flat.level(), 'C');
  Layers open = Layers();
  open.on("landlock:7");
  EXPECT_EQ(open.level(), 'D');
}

TEST(Layers, OldLandlockKeepsLevelAAway) {
  Layers layers;
  for (const char* layer :
       {"userns", "pidns", "ipcns", "netns", "mountns", "caps", "seccomp", "landlock:5", "cgroup:v2"})
    layers.on(layer);

  EXPECT_EQ(layers.level(), 'B');
}

TEST(Layers, ReportNamesWhatIsMissing) {
  Layers layers = walled();
  layers.off("cgroup", "not joined");
  layers.off("uid", "same uid as the host");

  EXPECT_EQ(layers.report().missing, "cgroup: not joined; uid: same uid as the host");
  EXPECT_THAT(layers.report().layers, HasSubstr("userns,pidns"));
}

TEST(Violation, NoAdviceSpeaksOfAGrantThatWouldAllowTheCall) {
  std::vector<TrappedCall> calls(std::begin(trapped_calls), std::end(trapped_calls));
  calls.insert(calls.end(), std::begin(trapped_in_part), std::end(trapped_in_part));
  for (const TrappedCall& call : calls) {
    const std::string advice(advice_on(call.number));

    EXPECT_THAT(advice, HasSubstr("no profile")) << call.name;
    EXPECT_THAT(advice, HasSubstr(": ")) << call.name << ": says what to do instead";
    EXPECT_THAT(advice, Not(HasSubstr("cape.toml"))) << call.name;
  }
}

TEST(Violation, AdviceFitsTheCall) {
  for (const int call : {SCMP_SYS(fork), SCMP_SYS(clone), SCMP_SYS(execve)})
    EXPECT_THAT(std::string(advice_on(call)), HasSubstr("threads"));
  EXPECT_THAT(std::string(advice_on(SCMP_SYS(socket))), HasSubstr("network"));
  EXPECT_THAT(std::string(advice_on(SCMP_SYS(mprotect))), HasSubstr("executable"));
  EXPECT_THAT(std::string(advice_on(-1)), HasSubstr("remove the call")) << "whatever the child claims";
}

}  // namespace
}  // namespace cape::child
