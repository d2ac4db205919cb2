// tests/host/intake_fixture.hpp
// An Intake over real directories, with a fake inspector and a clock that moves by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/child/intake.hpp"
#include "tests/fakes/temp_dir.hpp"
#include "tests/host/fake_inspector.hpp"

namespace cape::test {

using child::Intake;
using child::IntakeOptions;
using child::PluginImagePtr;

// Wall time is the file system's, moved on by hand like boot time.
class HandClock final : public Clock {
 public:
  explicit HandClock(const std::int64_t& passed_ns) : passed_ns_(passed_ns) {}
  Now now() const override {
    return {.boot_ns = 1'000 * ns_per_s + passed_ns_, .wall_ns = wall_ns() + passed_ns_};
  }

 private:
  const std::int64_t& passed_ns_;
};

class IntakeTest : public ::testing::Test {
 protected:
  void open() {
    IntakeOptions options{.dirs = {watched.path()},
                          .builtin_dirs = {builtin.path()},
                          .file_bytes_max = 1 << 20,
                          .signatures = signatures};
    Result<std::unique_ptr<Intake>> made =
        make_intake(std::move(options), {.inspector = std::make_unique<test::FakeInspector>(inspections),
                                         .clock = std::make_unique<HandClock>(passed_ns)});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    intake = std::move(*made);
  }
  // Opens it long after the files were written, and takes them in.
  void open_later() {
    advance(10'000);
    open();
    run();
  }
  void advance(std::int64_t ms) { passed_ns += ms * ns_per_ms; }
  // Steps until nothing is due now.
  bool run() {
    bool changed = false;
    for (int turns = 0; turns < 1'000; ++turns) {
      changed |= intake->step();
      if (intake->next_step_boot_ns() > HandClock(passed_ns).now().boot_ns) return changed;
    }
    ADD_FAILURE() << "intake does not come to rest";
    return changed;
  }
  // As a loop would: notice, wait until still, take in.
  bool run_until_still() {
    bool changed = run();
    advance(300);
    return run() || changed;
  }
  std::vector<std::string> served() const {
    std::vector<std::string> all;
    for (const PluginImagePtr& image : intake->serving()) all.push_back(image->id + " " + image->version);
    return all;
  }
  std::string only_reason() const {
    const std::vector<wire::SetAside> aside = intake->set_aside();
    return aside.size() == 1 ? aside[0].reason : "set aside: " + std::to_string(aside.size());
  }

  TempDir watched, builtin;
  test::FakeInspections inspections;
  std::int64_t passed_ns = 0;
  child::SignaturePolicy signatures;
  std::unique_ptr<Intake> intake;
};

}  // namespace cape::test
