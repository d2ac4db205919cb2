#include "broker/source_link.hpp"

#include <algorithm>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "broker/json.hpp"

namespace cape::broker {
namespace {

constexpr std::int64_t backoff_first_ns = 100 * ns_per_ms;
constexpr std::int64_t backoff_max_ns = 30 * ns_per_s;
constexpr std::int64_t hang_look_ns = 1 * ns_per_s;
constexpr std::int64_t stop_timeout_ns = 10 * ns_per_s;
constexpr std::int64_t measure_every_ns = 1 * ns_per_s;
constexpr std::uint32_t vain_ends_max = 3;  // then bytes with which no query succeeded do not work

bool is_success(OutcomeKind status) {
  return status == OutcomeKind::ok || status == OutcomeKind::not_found;
}

child::ChildSpec make_spec(const Config& config, const DomainConfig& domain, int life_fd) {
  child::ChildSpec spec{.kind = child::ChildKind::source,
                        .domain = domain.name,
                        .config_json = domain.config_json,
                        .config_dir = config.base_dir(),
                        .grant = domain.grant,
                        .state_dir = config.state_dir(domain),
                        .limits = domain.limits,
                        .payload_bytes_max = config.payload_bytes_max,
                        .require_level = config.sandbox_require,
                        .timeout_ns = domain.timeout_ms * ns_per_ms,
                        .timeout_max_ns = domain.timeout_max_ms * ns_per_ms,
                        .life_fd = life_fd};
  if (domain.source == journal_source) {  // the one built-in grant: its own domain's journal
    const fs::path dir = config.journal_dir(domain);
    spec.grant.read.push_back(dir);
    spec.config_json = with_text_member(spec.config_json, "dir", dir.string());
  }
  return spec;
}

}  // namespace

SourceLink::SourceLink(const Config& config, const DomainConfig& domain, int life_fd)
    : config_(config), domain_(domain), spec_(make_spec(config, domain, life_fd)) {}

void SourceLink::set_image(child::PluginImagePtr image, std::string why) {
  const bool same = image && spec_.image && image->hash == spec_.image->hash;
  if (!image) trouble_ = std::move(why);
  if (same || (!image && !spec_.image)) return;
  spec_.image = std::move(image);
  backoff_ns_ = 0;
  next_start_ns_ = 0;
  since_wall_ns_ = wall_ns();
  works_ = false;
  vain_ends_ = restarts_ = 0;
  judged_.reset();
  if (child_) {
    stale_ = true;  // it runs the bytes before
    ask_to_end(boot_ns());
  }
}

// It answers what it was asked first.
void SourceLink::ask_to_end(std::int64_t now_ns) {
  ready_ = false;
  if (stop_ns_ == 0) stop_ns_ = now_ns;
  child_->stop();
}

void SourceLink::step(std::int64_t now_ns) {
  if (ended_) {
    child_.reset();
    ended_ = false;
  }
  if (!child_ && spec_.image && !stopped_ && now_ns >= next_start_ns_) start(now_ns);
  if (child_ && !killed_) watch(now_ns);
}

void SourceLink::watch(std::int64_t now_ns) {
  if (const std::string why = hung(now_ns); !why.empty()) {
    killed_ = true;
    ready_ = false;
    return child_->kill({OutcomeKind::hung,
                         fmt::format("source '{}' of domain '{}' {}", domain_.source, domain_.name, why)});
  }
  if (ready_ && now_ns >= measure_ns_) measure(now_ns);
}

std::string SourceLink::hung(std::int64_t now_ns) {
  const auto [since_ns, unanswered_since_ns] = child_->waiting();
  if (since_ns == 0)
    return stop_ns_ != 0 && now_ns - stop_ns_ >= stop_timeout_ns
               ? fmt::format("did not stop within {} ms", stop_timeout_ns / ns_per_ms)
               : "";
  if (now_ns - since_ns >= domain_.timeout_ms * ns_per_ms)
    return fmt::format("made no progress for {} ms", domain_.timeout_ms);
  if (now_ns - unanswered_since_ns >= domain_.timeout_max_ms * ns_per_ms)
    return fmt::format("answered nothing for {} ms", domain_.timeout_max_ms);
  return {};
}

void SourceLink::measure(std::int64_t now_ns) {
  measure_ns_ = now_ns + measure_every_ns;
  const auto usage = child_->usage();
  if (!usage || domain_.limits.recycle_bytes == 0) return;
  const std::string why = growth_.look(usage->resident_bytes, domain_.limits.recycle_bytes);
  if (why.empty()) return;
  worn_ = true;
  ++recycled_;
  log::warning("broker", "source '{}' of domain '{}' is replaced: {}", domain_.source, domain_.name, why);
  ask_to_end(now_ns);
}

std::optional<std::int64_t> SourceLink::next_deadline() const {
  if (ended_) return 0;
  if (!child_) return spec_.image && !stopped_ ? std::optional(next_start_ns_) : std::nullopt;
  if (killed_) return std::nullopt;
  if (child_->calls_out() > 0) return boot_ns() + std::min(hang_look_ns, domain_.timeout_ms * ns_per_ms);
  if (stop_ns_ != 0) return std::max(boot_ns(), stop_ns_ + stop_timeout_ns);
  return std::nullopt;
}

void SourceLink::start(std::int64_t now_ns) {
  auto started = child::start_source_child(spec_);
  if (started) {
    child_ = std::move(*started);
    stale_ = worn_ = killed_ = false;
    stop_ns_ = measure_ns_ = 0;
    growth_ = {};
    trouble_ = "starting";
    return;
  }
  trouble_ = started.error().message;
  backoff_ns_ = std::clamp(backoff_ns_ * 2, backoff_first_ns, backoff_max_ns);
  next_start_ns_ = now_ns + backoff_ns_;
  log::error("broker", "source '{}' of domain '{}' does not start: {}; next try in {} ms", domain_.source, domain_.name,
             trouble_, backoff_ns_ / ns_per_ms);
}

void SourceLink::poll(std::vector<child::SourceReport>& out, std::int64_t now_ns) {
  if (!child_ || ended_) return;
  const std::size_t before = out.size();
  child_->poll(out);
  for (std::size_t i = before; i < out.size(); ++i) note_report(out[i], now_ns);
}

void SourceLink::note_report(const child::SourceReport& report, std::int64_t now_ns) {
  if (const auto* up = std::get_if<child::ChildReady>(&report)) {
    ready_ = !stopped_;
    sandbox_ = up->sandbox;
    trouble_.clear();
    log::info("broker", "source '{}' of domain '{}' runs (pid {}, sandbox level {}: {}{}{})", domain_.source, domain_.name,
              child_->pid(), sandbox_.level, sandbox_.layers, sandbox_.missing.empty() ? "" : "; missing: ",
              sandbox_.missing);
  } else if (const auto* line = std::get_if<child::ChildLog>(&report)) {
    log::info("plugin", "{} ({}): {}", domain_.source, domain_.name, line->text);
  } else if (const auto* end = std::get_if<child::ChildEnded>(&report)) {
    note_end(*end, now_ns);
  } else if (const auto* answer = std::get_if<child::QueryAnswer>(&report)) {
    // A scan alone proves little: it goes on while every read of events fails.
    if (is_success(answer->status)) note_success();
  }
}

void SourceLink::note_end(const child::ChildEnded& end, std::int64_t now_ns) {
  note_vain_end(end);
  restarts_ += !stale_ && !worn_ && !stopped_;
  // One that had worked is replaced at once; one that dies again and again waits longer each time.
  const bool worked = ready_ || worn_;
  backoff_ns_ = worked && end.end.kind != OutcomeKind::setup
                    ? backoff_first_ns
                    : std::clamp(backoff_ns_ * 2, backoff_first_ns, backoff_max_ns);
  next_start_ns_ = now_ns + (worked ? 0 : backoff_ns_);
  ready_ = false;
  ended_ = true;
  trouble_ = fmt::format("{}: {}", name_of(end.end.kind), end.end.reason);
  if (end.end.kind != OutcomeKind::ok)
    log::warning("broker", "source '{}' of domain '{}' ended: {}", domain_.source, domain_.name, trouble_);
}

void SourceLink::note_success() {
  if (stale_ || std::exchange(works_, true)) return;
  judged_ = Judged{spec_.image->hash, {}};
}

// One that was asked to stop, or was killed from outside, says nothing about its bytes.
void SourceLink::note_vain_end(const child::ChildEnded& end) {
  const OutcomeKind kind = end.end.kind;
  if (stale_ || stopped_ || works_ || kind == OutcomeKind::ok || kind == OutcomeKind::external_kill) return;
  if (++vain_ends_ != vain_ends_max) return;
  judged_ = Judged{spec_.image->hash, fmt::format("it ended {} times before any query succeeded ({}: {})",
                                                  vain_ends_max, name_of(kind), end.end.reason)};
}

void SourceLink::stop() {
  stopped_ = true;
  ready_ = false;
  if (child_ && !ended_) ask_to_end(boot_ns());
}

std::vector<child::ChildMetric> SourceLink::metrics() const {
  return ready_ ? child_->metrics() : std::vector<child::ChildMetric>();
}

SourceLink::Status SourceLink::status() const {
  Status s{.domain = domain_.name,
           .plugin = domain_.source,
           .trouble = trouble_,
           .level = ready_ ? sandbox_.level : '-',
           .missing = sandbox_.missing,
           .restarts = restarts_,
           .recycled = recycled_};
  if (spec_.image) {
    s.version = spec_.image->version;
    s.hash = spec_.image->hash;
    s.file = spec_.image->file;
    s.wants = spec_.image->wants;
    s.since_wall_ns = since_wall_ns_;
    s.signed_by = spec_.image->signed_by;
  }
  if (child_) s.pid = child_->pid();
  return s;
}

}  // namespace cape::broker
