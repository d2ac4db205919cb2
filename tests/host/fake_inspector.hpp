// tests/host/fake_inspector.hpp
// An Inspector without processes: the verdict follows from the bytes of a fake_plugin. It answers at the next
// poll, or, while `hold` is set, not before it is cleared.
#pragma once

#include <unistd.h>

#include <map>
#include <sstream>
#include <string>

#include "host/child/inspector.hpp"
#include "tests/host/fake_plugin.hpp"

namespace cape::test {

struct FakeInspections {
  std::map<std::string, int> started;  // by hash
  int running = 0;
  bool hold = false;
  bool no_process = false;  // starting fails
  child::InspectionVerdict::Kind failure =
      child::InspectionVerdict::Kind::bad;  // of plugins with id "broken"

  int started_in_all() const {
    int sum = 0;
    for (const auto& [hash, count] : started) sum += count;
    return sum;
  }
};

class FakeInspection final : public child::Inspection {
 public:
  FakeInspection(FakeInspections& log, child::PluginImagePtr image) : log_(log), image_(std::move(image)) {
    ++log_.running;
  }
  ~FakeInspection() override { --log_.running; }
  int fd() const override { return -1; }
  std::int64_t deadline_ns() const override { return 0; }
  std::optional<child::InspectionVerdict> poll(std::int64_t) override {
    if (log_.hold) return std::nullopt;
    std::string text(image_->bytes - fake_headers_bytes, '\0');
    if (::pread(image_->memfd.get(), text.data(), text.size(), fake_headers_bytes) < 0) text.clear();
    std::istringstream words(text);
    child::InspectionVerdict verdict;
    words >> verdict.manifest.id >> verdict.manifest.version;
    verdict.kind = child::InspectionVerdict::Kind::good;
    if (verdict.manifest.id == "broken") {
      verdict.kind = log_.failure;
      verdict.reason = "SETUP: the entry is missing";
    }
    return verdict;
  }

 private:
  FakeInspections& log_;
  child::PluginImagePtr image_;
};

class FakeInspector final : public child::Inspector {
 public:
  explicit FakeInspector(FakeInspections& log) : log_(log) {}
  Result<std::unique_ptr<child::Inspection>> start(child::PluginImagePtr image, std::int64_t) override {
    if (log_.no_process) return fail(ErrorCode::io, "cannot make a process");
    ++log_.started[image->hash];
    return std::make_unique<FakeInspection>(log_, std::move(image));
  }

 private:
  FakeInspections& log_;
};

}  // namespace cape::test
