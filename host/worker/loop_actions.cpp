// What the worker decided, done.
#include <algorithm>

#include "core/log.hpp"
#include "host/worker/loop.hpp"

namespace cape::host {

void Loop::begin_session() {
  session_.begin(now_ns_, offers_of(shelves_));
  inputs_.emplace_back(SessionStarted{});
  report_due_ = true;
}

void Loop::perform(const StartChild& action) {
  const child::PluginImagePtr image = image_of(action.hash);
  if (image == nullptr) {
    inputs_.emplace_back(StartFailed{action.child, "the plugin's file went before its child started"});
    return;
  }
  child::ChildSpec spec = spec_of(config_, places_[action.lambda], image);
  spec.life_fd = life_fd_;
  if (const Result<void> started = children_.start(action, spec); !started) {
    log::warning("host", "cannot start a child of {}: {}", places_[action.lambda].name(),
                 started.error().message);
    inputs_.emplace_back(StartFailed{action.child, started.error().message});
  }
}

void Loop::perform(const GiveJob& action) {
  if (!children_.give(action))
    inputs_.emplace_back(JobRefused{.child = action.child, .job = action.job->job});
}

void Loop::perform(ReportCredit& action) {
  if (!stop_asked_) note_trouble(action);
  session_.credit({.session = 0,
                   .lambda = action.lambda,
                   .jobs_max = action.jobs_max,
                   .hash = std::move(action.hash),
                   .trouble = std::move(action.trouble)});
}

void Loop::note_trouble(const ReportCredit& credit) {
  const std::string name = places_[credit.lambda].name();
  for (auto& [hash, troubles] : troubles_)
    if (hash != credit.hash || credit.trouble.empty()) troubles.erase(name);
  if (!credit.trouble.empty()) troubles_[credit.hash][name] = credit.trouble;
  std::erase_if(troubles_, [](const auto& of_hash) { return of_hash.second.empty(); });
  verdicts_due_ = true;
}

void Loop::report() {
  if (!session_.is_open() || session_.has_unsent()) return;
  report_due_ = false;
  reported_ns_ = now_ns_;
  session_.report({.session = 0,
                   .children = children_.reports(),
                   .set_aside = shelves_.set_aside,
                   .child_starts = children_.starts(),
                   .crashes = children_.crashes(),
                   .metrics = children_.metrics()});
}

}  // namespace cape::host
