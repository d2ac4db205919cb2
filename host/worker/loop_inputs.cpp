// What comes from the broker and from the plugin directories.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "core/log.hpp"
#include "host/worker/loop.hpp"

namespace cape::host {
namespace {

bool contains(const std::vector<child::PluginImagePtr>& images, const std::string& hash) {
  return std::ranges::any_of(images, [&](const auto& image) { return image->hash == hash; });
}

}  // namespace

void Loop::receive() {
  transport_.clear_wakeup();
  while (std::optional<wire::ToHost> message = transport_.receive()) {
    std::visit([&](auto& what) { take(what); }, *message);
  }
}

void Loop::take(wire::RunJobs& jobs) {
  if (!session_.is_current(jobs.session)) return;  // they lay in a queue when their session ended
  for (wire::RunJob& job : jobs.jobs) inputs_.emplace_back(JobArrived{std::move(job)});
}

void Loop::take(const wire::CancelJob& cancel) {
  if (session_.is_current(cancel.session)) inputs_.emplace_back(CancelAsked{cancel.job});
}

void Loop::take(const wire::BrokerWelcome& welcome) {
  renew_lease(session_.take(welcome));
  if (session_.welcomed() && on_ready_) std::exchange(on_ready_, nullptr)();
}

void Loop::take(const wire::DrainHost&) {
  sent_away_ = !stop_asked_;
  inputs_.emplace_back(DrainAsked{});
}

void Loop::take(const wire::HelloPlease& please) {
  if (!session_.take(please)) return;
  log::warning("host",
               "the broker does not know this host: every job it holds is ended, then it says hello anew");
  session_.close();
  children_.set_lease_end(0);
  inputs_.emplace_back(SessionEnded{});
}

void Loop::renew_lease(std::optional<std::int64_t> end_ns) {
  if (!end_ns) return;
  children_.set_lease_end(*end_ns);
  inputs_.emplace_back(LeaseRenewed{*end_ns});
}

void Loop::take(wire::ServeVersions& said) {
  if (!session_.is_current(said.session)) return;
  said_.clear();
  std::vector<std::string> hashes;
  for (wire::ServedVersion& version : said.versions) {
    if (version.lambda >= places_.size()) continue;  // of a config that is none of ours
    if (!version.hash.empty() && std::ranges::find(hashes, version.hash) == hashes.end())
      hashes.push_back(version.hash);
    const LambdaIndex lambda = version.lambda;
    said_[lambda] = std::move(version);
  }
  named_hashes_ = std::move(hashes);
  tell_what_serves();
}

const wire::ServedVersion* Loop::said_of(LambdaIndex lambda) const {
  const auto at = said_.find(lambda);
  return at == said_.end() ? nullptr : &at->second;
}

// For as long as it is named an image is held, whatever becomes of its file.
void Loop::find_named() {
  if (!kept_intake_) return;  // no lambda has a canary
  const std::vector<child::PluginImagePtr> before = std::exchange(shelves_.named, {});
  std::vector<child::PluginImagePtr> all = before;
  for (const child::Intake* intake : {intake_.get(), kept_intake_.get()})
    std::ranges::copy(intake->available(), std::back_inserter(all));
  for (const std::string& hash : named_hashes_) {
    const auto at = std::ranges::find_if(all, [&](const auto& image) { return image->hash == hash; });
    if (at != all.end()) shelves_.named.push_back(*at);
  }
  keep_named();
}

// What was taken away on purpose shall not come back with the next start.
void Loop::keep_named() {
  std::vector<std::string> hashes = named_hashes_;
  std::vector<child::PluginImagePtr> images;
  for (const child::PluginImagePtr& image : shelves_.named) {
    if (shelves_.settled && is_withdrawn(shelves_, image->id))
      std::erase(hashes, image->hash);
    else
      images.push_back(image);
  }
  if (images == to_keep_) return;
  kept_.keep(hashes, images);
  to_keep_ = std::move(images);
}

child::PluginImagePtr Loop::image_of(const std::string& hash) const {
  for (const std::vector<child::PluginImagePtr>* images : {&shelves_.serving, &shelves_.named})
    for (const child::PluginImagePtr& image : *images)
      if (image->hash == hash) return image;
  return nullptr;
}

void Loop::step_intake() {
  const bool was_settled = shelves_.settled;
  bool changed = intake_->step();
  if (kept_intake_) changed |= kept_intake_->step();
  shelves_.settled = intake_->settled() && (!kept_intake_ || kept_intake_->settled());
  if (changed || shelves_.settled != was_settled) tell_what_serves();
}

void Loop::tell_trouble(LambdaIndex lambda, const std::string& trouble) {
  std::string& told = told_troubles_[lambda];
  if (trouble == told) return;
  told = trouble;
  // Nobody wrote these down: a person hears of the lambda that they stand beside.
  const LambdaPlace& place = places_[lambda];
  const bool beside = place.twin || place.topology->shadow_of;
  const auto trouble_of = [](const auto& entry) -> const std::string& { return entry.second; };
  if (beside && std::ranges::count(told_troubles_, trouble, trouble_of) > 1) return;
  if (!trouble.empty()) log::warning("host", "{} cannot run: {}", places_[lambda].name(), trouble);
}

void Loop::take(wire::HostPins& pins) {
  if (!session_.is_current(pins.session)) return;
  pins_.set(std::move(pins.pins));
  tell_what_serves();
}

// What serves, by the rule, the judgement of what failed, and the operator's word, each over the one before.
void Loop::choose() {
  const std::vector<child::PluginImagePtr> available = intake_->available();
  note_newest(shelves_, intake_->serving());
  std::vector<child::PluginImagePtr> serving =
      pins_.serving(last_good_.serving(intake_->serving()), available);
  std::map<std::string, std::int64_t> since;
  const auto note = [&](const child::PluginImagePtr& image, const auto& before) {
    const bool same = contains(before, image->hash) && shelves_.since_wall_ns.contains(image->hash);
    since[image->hash] = same ? shelves_.since_wall_ns.at(image->hash) : wall_ns();
  };
  std::vector<child::PluginImagePtr> standing_by;
  for (const child::PluginImagePtr& image : available) {
    if (contains(serving, image->hash) || contains(standing_by, image->hash)) continue;
    if (last_good_.is_former_bad(image->hash)) continue;
    note(image, shelves_.standing_by);
    standing_by.push_back(image);
  }
  for (const child::PluginImagePtr& image : serving) note(image, shelves_.serving);
  shelves_.serving = std::move(serving);
  shelves_.standing_by = std::move(standing_by);
  shelves_.since_wall_ns = std::move(since);
  shelves_.pin_troubles = pins_.troubles();
}

void Loop::tell_what_serves() {
  choose();
  std::vector<wire::SetAside> aside = last_good_.set_aside();
  std::erase_if(aside, [&](const wire::SetAside& file) {  // pinned all the same
    return contains(shelves_.serving, file.hash);
  });
  std::ranges::move(intake_->set_aside(), std::back_inserter(aside));
  for (const wire::SetAside& file : aside) {
    const bool known = std::ranges::any_of(shelves_.set_aside, [&](const wire::SetAside& old) {
      return old.file == file.file && old.reason == file.reason;
    });
    if (!known) log::warning("host", "{} is set aside: {}", printable(file.file, 4096), file.reason);
  }
  shelves_.set_aside = std::move(aside);
  find_named();
  serves_.clear();
  for (LambdaIndex i = 0; i < places_.size(); ++i) {
    serves_.push_back(serving_of(i, places_[i], shelves_, said_of(i)));
    if (shelves_.settled) tell_trouble(i, serves_[i].trouble);
    inputs_.emplace_back(serves_[i]);
  }
  session_.offer(offers_of(shelves_));
  report_due_ = verdicts_due_ = true;
}

void Loop::write_verdicts() {
  std::vector<child::FileVerdict> files = intake_->files();
  last_good_.correct(files);
  pins_.correct(files);
  correct(files, places_, said_, serves_);
  status_files_.update(files, all_troubles(), wall_ns());
}

// What the worker says of bytes that it runs, and why others never came to it.
child::TroublesByHash Loop::all_troubles() const {
  child::TroublesByHash all = troubles_;
  for (const PluginServes& serves : serves_) {
    const LambdaPlace& place = places_[serves.lambda];
    if (!serves.refused.empty() && !place.topology->shadow_of) all[serves.refused][place.name()] = serves.trouble;
  }
  return all;
}

void Loop::take(const BytesJudged& judged) {
  if (judged.trouble.empty()) {
    std::vector<child::PluginImagePtr> running = shelves_.serving;
    std::ranges::copy(shelves_.named, std::back_inserter(running));
    return last_good_.works(running, judged.hash);
  }
  const auto image =
      std::ranges::find_if(shelves_.serving, [&](const auto& i) { return i->hash == judged.hash; });
  if (image == shelves_.serving.end()) return;
  const std::string what = fmt::format("version {} ({}) of plugin '{}' does not work: {}", (*image)->version,
                                       judged.hash.substr(0, 8), (*image)->id, judged.trouble);
  if (pins_.is_pinned((*image)->id)) {
    log::error("host", "{}; it serves on, since it is pinned to {}: `cape plugin unpin {}`", what,
               pins_.text((*image)->id), (*image)->id);
  } else if (last_good_.works_not(shelves_.serving, judged.hash, judged.trouble)) {
    log::error("host", "{}; the last good version serves again", what);
    tell_what_serves();
  }
}

}  // namespace cape::host
