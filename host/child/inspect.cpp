#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "core/clock.hpp"
#include "host/child/inspector.hpp"
#include "host/child/lambda_child.hpp"

namespace cape::child {
namespace {

// After the kill: the kernel confirms within milliseconds. Looked at again this often until it has.
constexpr std::int64_t kill_poll_ns = 100 * ns_per_ms;

class ChildInspection final : public Inspection {
 public:
  ChildInspection(std::unique_ptr<LambdaChild> child, std::int64_t deadline_ns)
      : child_(std::move(child)), deadline_ns_(deadline_ns) {}

  int fd() const override { return child_->fd(); }
  std::int64_t deadline_ns() const override { return deadline_ns_; }

  std::optional<InspectionVerdict> poll(std::int64_t now_ns) override {
    std::vector<LambdaReport> reports;
    child_->poll(reports);
    for (LambdaReport& report : reports) {
      if (auto* ready = std::get_if<ChildReady>(&report)) manifest_ = std::move(ready->manifest);
      if (auto* log = std::get_if<ChildLog>(&report)) last_log_ = std::move(log->text);
      if (auto* ended = std::get_if<ChildEnded>(&report)) return verdict(*ended);
    }
    if (now_ns >= deadline_ns_) give_up(now_ns);
    return std::nullopt;
  }

 private:
  void give_up(std::int64_t now_ns) {
    deadline_ns_ = now_ns + kill_poll_ns;
    if (std::exchange(killed_, true)) return;
    child_->kill({OutcomeKind::hung, "loading the library, init and deinit took too long; it was killed"});
  }

  InspectionVerdict verdict(const ChildEnded& ended) {
    using Kind = InspectionVerdict::Kind;
    const Outcome& end = ended.end;
    if (end.kind == OutcomeKind::external_kill) return {Kind::unsure, {}, end.reason};
    if (end.kind != OutcomeKind::ok) return {Kind::bad, {}, failure_text(ended)};
    if (!manifest_) return {Kind::bad, {}, "PROTOCOL: the inspection ended without a report"};
    if (std::string mistake = manifest_mistake(*manifest_); !mistake.empty())
      return {Kind::bad, {}, "check S2: " + mistake};
    return {Kind::good, std::move(*manifest_), {}};
  }

  // The check's name first: it is what `cape plugin check --only` takes.
  std::string failure_text(const ChildEnded& ended) const {
    const std::string check = ended.check.empty() ? "" : fmt::format("check {}: ", ended.check);
    const std::string text = fmt::format("{}{}: {}", check, name_of(ended.end.kind), ended.end.reason);
    return last_log_.empty() ? text : fmt::format("{} (it logged: {})", text, last_log_);
  }

  std::unique_ptr<LambdaChild> child_;
  std::int64_t deadline_ns_;
  bool killed_ = false;
  std::optional<ManifestReport> manifest_;
  std::string last_log_;
};

class ChildInspector final : public Inspector {
 public:
  explicit ChildInspector(InspectorOptions options) : options_(options) {}

  Result<std::unique_ptr<Inspection>> start(PluginImagePtr image, std::int64_t now_ns) override {
    ChildSpec spec;
    spec.kind = ChildKind::inspect;
    spec.image = std::move(image);
    spec.require_level = options_.require_level;
    spec.life_fd = options_.life_fd;
    spec.start_timeout_ms = options_.timeout_ms;
    Result<std::unique_ptr<LambdaChild>> child = start_lambda_child(spec);
    if (!child) return std::unexpected(child.error());
    return std::make_unique<ChildInspection>(std::move(*child), now_ns + options_.timeout_ms * ns_per_ms);
  }

 private:
  InspectorOptions options_;
};

}  // namespace

std::unique_ptr<Inspector> make_child_inspector(InspectorOptions options) {
  return std::make_unique<ChildInspector>(options);
}

}  // namespace cape::child
