// What the host does with a child that writes what it likes into its own memory. No process: the test is the
// child, with a hand on the response memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <functional>

#include "core/clock.hpp"
#include "host/child/child_end.hpp"
#include "host/child/child_link.hpp"
#include "host/child/frames.hpp"
#include "host/child/over_process.hpp"
#include "host/child/ring.hpp"
#include "host/child/sandbox/shared_memory.hpp"

namespace cape::child {
namespace {

constexpr std::uint64_t played_ring_bytes = 1u << 20;

class PlayedProcess final : public ChildProcess {
 public:
  explicit PlayedProcess(SharedMemory memory)
      : memory_(std::move(memory)),
        own_(*Mapping::of(memory_.response_fd(), header_bytes + played_ring_bytes, PROT_READ | PROT_WRITE)),
        writer_(static_cast<std::uint8_t*>(own_.at()) + header_bytes, played_ring_bytes) {}

  // ---- the child's side
  ResponseHeader& words() { return *static_cast<ResponseHeader*>(own_.at()); }
  // false: no room.
  bool log(std::string_view text) {
    const LogFrame frame{.severity = 1, .text_bytes = static_cast<std::uint32_t>(text.size()), .dropped = 0};
    const auto slot = writer_.find(sizeof frame + text.size(), memory_.request().response_tail.value.load());
    if (!slot) return false;
    BodyWriter body(writer_.take(*slot, static_cast<std::uint32_t>(FrameKind::log)));
    body.write(frame);
    body.write_text(text);
    words().head.value.store(writer_.head());
    return true;
  }
  // A whole ring of padding. Not together with log().
  void pad() {
    const FrameHeader padding{.bytes = played_ring_bytes, .kind = padding_kind};
    std::memcpy(static_cast<std::uint8_t*>(own_.at()) + header_bytes, &padding, sizeof padding);
    words().head.value.store(words().head.value.load() + played_ring_bytes);
  }
  bool all_read() { return memory_.request().response_tail.value.load() == words().head.value.load(); }
  // Called whenever the host looks at the words: what a second thread of the child does just then.
  std::function<void()> when_looked_at = [] {};
  std::uint64_t doorbells = 0;
  void end_now() { end_ = {.wait_status = 0}, ended_ = true; }

  // ---- the host's side
  int fd() const override { return fd_.get(); }
  int pid() const override { return 1; }
  int control_fd() const override { return -1; }
  RequestHeader& request() override { return memory_.request(); }
  std::uint8_t* request_ring() override { return memory_.request_ring(); }
  Result<void> back_request(std::uint64_t, std::uint64_t) override { return {}; }
  const ResponseHeader& response() const override {
    when_looked_at();
    return memory_.response();
  }
  int response_memfd() const override { return memory_.response_fd(); }
  std::uint64_t ring_bytes() const override { return memory_.ring_bytes(); }
  Events poll() override { return {}; }
  const ProcessEnd* end() const override { return ended_ ? &end_ : nullptr; }
  void ring_doorbell() override { ++doorbells; }
  void set_lease_end(std::int64_t) override {}
  void kill() override { end_now(); }

 private:
  SharedMemory memory_;
  Mapping own_;
  RingWriter writer_;
  UniqueFd fd_{::eventfd(0, EFD_CLOEXEC)};
  ProcessEnd end_;
  bool ended_ = false;
};

struct Counted {
  std::uint64_t shown = 0, told = 0, tellings = 0;
};

template <class Report>
void count(const std::vector<Report>& reports, Counted& counted) {
  for (const Report& report : reports) {
    const auto* line = std::get_if<ChildLog>(&report);
    if (line == nullptr) continue;
    std::uint64_t lines = 0;
    if (std::sscanf(line->text.c_str(), "%lu lines are not shown", &lines) == 1) {
      counted.told += lines;
      ++counted.tellings;
    } else {
      ++counted.shown;
    }
  }
}

class LyingChild : public testing::Test {
 protected:
  LyingChild() {
    auto process = std::make_unique<PlayedProcess>(*SharedMemory::make(played_ring_bytes));
    process_ = process.get();
    spec_.image = std::make_shared<PluginImage>();
    owned_ = std::move(process);
  }
  template <class Child, class Report>
  void flood(Child& child, std::uint64_t lines, Counted& counted) {
    std::vector<Report> reports;
    for (std::uint64_t i = 0; i < lines; ++i) {
      if (!process_->log("a line")) child.poll(reports), --i;
    }
    child.poll(reports);
    process_->end_now();
    child.poll(reports);
    count(reports, counted);
  }

  ChildSpec spec_;
  PlayedProcess* process_ = nullptr;
  std::unique_ptr<ChildProcess> owned_;
};

void expect_bounded(const Counted& counted, std::uint64_t lines, std::int64_t took_ns) {
  const auto seconds = static_cast<std::uint64_t>(took_ns / ns_per_s) + 1;
  const std::uint64_t lines_per_s = ChildSpec().limits.log_lines_per_s;
  const std::uint64_t burst_lines = ChildLink::burst_s * lines_per_s;
  EXPECT_LE(counted.shown, burst_lines + seconds * lines_per_s);
  EXPECT_GE(counted.shown, burst_lines);
  EXPECT_EQ(counted.shown + counted.told, lines) << "each line is shown or counted";
  EXPECT_GE(counted.tellings, 1u);
  EXPECT_LE(counted.tellings, seconds + 1);
}

TEST_F(LyingChild, LinesOfALambdaThatFloodsTheLogAreBoundedAndCounted) {
  auto child = make_lambda_child(spec_, std::move(owned_));
  Counted counted;
  const std::int64_t began_ns = boot_ns();

  flood<LambdaChild, LambdaReport>(*child, 20'000, counted);

  expect_bounded(counted, 20'000, boot_ns() - began_ns);
}

TEST_F(LyingChild, LinesOfASourceThatFloodsTheLogAreBoundedAndCounted) {
  auto child = make_source_child(spec_, std::move(owned_));
  Counted counted;
  const std::int64_t began_ns = boot_ns();

  flood<SourceChild, SourceReport>(*child, 20'000, counted);

  expect_bounded(counted, 20'000, boot_ns() - began_ns);
}

// The same promises of both kinds of child.
template <class MakeChild>
class EndlessChild : public LyingChild {};
struct MakeLambda {
  using Report = LambdaReport;
  static auto make(ChildSpec spec, std::unique_ptr<ChildProcess> process) {
    return make_lambda_child(std::move(spec), std::move(process));
  }
};
struct MakeSource {
  using Report = SourceReport;
  static auto make(ChildSpec spec, std::unique_ptr<ChildProcess> process) {
    return make_source_child(std::move(spec), std::move(process));
  }
};
using BothKinds = testing::Types<MakeLambda, MakeSource>;
TYPED_TEST_SUITE(EndlessChild, BothKinds);

constexpr std::uint64_t without_end = 100'000;  // more than a poll may see, so that a failure ends

TYPED_TEST(EndlessChild, ThatPadsTheRingWheneverItIsReadDoesNotKeepThePoll) {
  PlayedProcess& process = *this->process_;
  auto child = TypeParam::make(this->spec_, std::move(this->owned_));
  std::uint64_t rings = 0;
  process.when_looked_at = [&] {
    if (process.all_read() && rings < without_end) ++rings, process.pad();
  };
  std::vector<typename TypeParam::Report> reports;

  child->poll(reports);

  EXPECT_LE(rings, ChildLink::rings_per_poll_max + 1);
  EXPECT_EQ(process.doorbells, 1u) << "asked to ring back: there is more";
  rings = 0;
  child->poll(reports);
  EXPECT_GE(rings, 1u) << "it goes on with the next poll";
  EXPECT_TRUE(reports.empty()) << "padding is no mistake";
}

TYPED_TEST(EndlessChild, ThatWritesOneFrameWheneverAllIsReadDoesNotKeepThePoll) {
  PlayedProcess& process = *this->process_;
  auto child = TypeParam::make(this->spec_, std::move(this->owned_));
  std::uint64_t frames = 0;
  process.when_looked_at = [&] {
    if (process.all_read() && frames < without_end) ++frames, process.log("");
  };
  std::vector<typename TypeParam::Report> reports;

  child->poll(reports);

  EXPECT_LE(frames, ChildLink::rounds_per_poll_max + 1);
  EXPECT_EQ(process.doorbells, 1u);
}

TYPED_TEST(EndlessChild, ThatFillsTheRingWithTinyFramesIsReadInSeveralPollsAndLosesNone) {
  PlayedProcess& process = *this->process_;
  auto child = TypeParam::make(this->spec_, std::move(this->owned_));
  std::uint64_t frames = 0;
  while (process.log("")) ++frames;
  ASSERT_GT(frames, 2 * ChildLink::frames_per_poll_max);
  std::vector<typename TypeParam::Report> reports;
  std::uint64_t polls = 0;

  for (; !process.all_read() && polls < without_end; ++polls) child->poll(reports);

  EXPECT_EQ(polls, frames / ChildLink::frames_per_poll_max + 1);
  EXPECT_EQ(process.doorbells, polls - 1);
  process.end_now();
  child->poll(reports);
  Counted counted;
  count(reports, counted);
  EXPECT_EQ(counted.shown + counted.told, frames);
}

// The words of a failed setup, forged in an event.
TEST(LyingWords, OfAFailedSetupAreNotBelievedOfAChildThatWasReady) {
  ChildSpec spec;
  spec.image = std::make_shared<PluginImage>();
  EndFacts facts;
  facts.process.wait_status = exit_code_setup << 8;
  facts.phase = Phase::process;
  facts.words = {.kind = 1, .text = "nothing to see here", .status = 0, .check = "S5"};
  facts.ready = true;

  EXPECT_EQ(describe_end(spec, facts).kind, OutcomeKind::exited);
  EXPECT_EQ(cause_of(spec, facts), OutcomeKind::exited);
  facts.ready = false;
  EXPECT_EQ(describe_end(spec, facts).kind, OutcomeKind::setup);
}

TEST(LyingWords, ARunnerThatEndsBeforeItHasWordsCouldNotBeSetUp) {
  ChildSpec spec;
  spec.image = std::make_shared<PluginImage>();
  EndFacts facts;
  facts.process.wait_status = exit_code_setup << 8;

  EXPECT_EQ(cause_of(spec, facts), OutcomeKind::setup);
  facts.phase = Phase::create;
  EXPECT_EQ(cause_of(spec, facts), OutcomeKind::exited) << "a plugin's constructor that exits";
}

}  // namespace
}  // namespace cape::child
