// The quick set guards intake: a file that fails one of its checks is set aside with that check's name, and
// what served goes on serving. Real children.
#include <gmock/gmock.h>
#include <poll.h>

#include <chrono>
#include <iostream>

#include "host/check/checker.hpp"
#include "host/child/intake.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::check {
namespace {

using child::Intake;
using testing::StartsWith;

fs::path guest_file(const std::string& name) {
  return fs::path(CAPE_CHECK_PLUGINS) / (name + ".so");
}

class QuickSet : public testing::Test {
 protected:
  void drop(const std::string& guest) {
    const fs::path draft = dir_.path() / ".draft";
    fs::copy_file(guest_file(guest), draft);
    fs::permissions(draft, fs::status(guest_file(guest)).permissions());
    fs::rename(draft, dir_.path() / "it.so");
  }
  void open() {
    auto made =
        child::make_intake({.dirs = {dir_.path()}, .builtin_dirs = {}, .still_ms = 20, .require_level = 'D'});
    ASSERT_TRUE(made) << made.error().message;
    intake_ = std::move(*made);
  }
  template <class Condition>
  bool eventually(Condition holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      pollfd ready = {intake_->fd(), POLLIN, 0};
      ::poll(&ready, 1, 5);
      intake_->step();
    }
    return true;
  }
  std::string reason() const {
    const auto aside = intake_->set_aside();
    return aside.empty() ? "" : aside[0].reason;
  }

  test::TempDir dir_;
  std::unique_ptr<Intake> intake_;
};

class EachOfTheQuickSet : public QuickSet, public testing::WithParamInterface<const char*> {};

TEST_P(EachOfTheQuickSet, IsNamedAndReplacesNothing) {
  drop("good_lambda");
  open();
  ASSERT_TRUE(eventually([&] { return intake_->serving().size() == 1; })) << reason();
  const std::string hash = intake_->serving()[0]->hash;

  drop(GetParam());

  ASSERT_TRUE(eventually([&] { return !intake_->set_aside().empty(); }));
  EXPECT_THAT(reason(), StartsWith("check " + std::string(GetParam()).substr(0, 2) + ": "));
  ASSERT_EQ(intake_->serving().size(), 1u);
  EXPECT_EQ(intake_->serving()[0]->hash, hash);
}
INSTANTIATE_TEST_SUITE_P(All, EachOfTheQuickSet,
                         testing::Values("S1", "S2", "S3", "S4_LIBC", "S5", "S6_path", "S6_stack", "S7", "S8",
                                         "S9", "L1", "L1_SYMBOLS", "L1_ENTRY", "L2", "L4", "L5", "L6"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_F(QuickSet, WarningsDoNotKeepAFileOut) {
  drop("S4");
  open();

  EXPECT_TRUE(eventually([&] { return intake_->serving().size() == 1; })) << reason();
}

TEST_F(QuickSet, FileIsTakenInOnceItsSetUserIdBitIsGone) {
  drop("S9");
  open();
  ASSERT_TRUE(eventually([&] { return !intake_->set_aside().empty(); }));

  fs::permissions(dir_.path() / "it.so", fs::perms::set_uid, fs::perm_options::remove);

  EXPECT_TRUE(eventually([&] { return intake_->serving().size() == 1 && intake_->set_aside().empty(); }))
      << reason();
}

// No promise, a number for people: what the guard costs a file on its way in.
TEST_F(QuickSet, TellsWhatItCosts) {
  open();
  const auto image = take_image(guest_file("good_lambda"));
  ASSERT_TRUE(image);
  auto inspector = child::make_child_inspector({.require_level = 'D'});
  constexpr int rounds = 20;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) {
    auto inspection = inspector->start(*image, SystemClock().now().boot_ns);
    ASSERT_TRUE(inspection);
    std::optional<child::InspectionVerdict> verdict;
    while (!(verdict = (*inspection)->poll(SystemClock().now().boot_ns))) {
      pollfd ready = {(*inspection)->fd(), POLLIN, 0};
      ::poll(&ready, 1, 100);
    }
    ASSERT_EQ(verdict->kind, child::InspectionVerdict::Kind::good) << verdict->reason;
  }
  const auto took = std::chrono::steady_clock::now() - began;
  std::cout << "the quick set takes "
            << std::chrono::duration_cast<std::chrono::microseconds>(took).count() / rounds << " us\n";
}

}  // namespace
}  // namespace cape::check
