#include "host/worker/host_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "host/worker/loop.hpp"

namespace cape::host {
namespace {

constexpr std::int64_t send_again_ns = ns_per_ms;             // the broker's queue was full; doubled up to
constexpr std::int64_t send_again_most_ns = 100 * ns_per_ms;  // this while it takes nothing
constexpr std::int64_t tell_silence_ns = 5 * ns_per_s;
constexpr std::int64_t goodbye_wait_ns = ns_per_s;  // for room in it, at the end
// What children use. A lambda that leaks a KiB an event must not get far between two looks.
constexpr std::int64_t measure_busy_ns = 50 * ns_per_ms;
constexpr std::int64_t measure_idle_ns = 2 * ns_per_s;
constexpr std::int64_t sleep_most_ns = 3'600 * ns_per_s;

fs::path kept_dir(const Config& config) {
  return config.data_dir / "kept";
}

// What an earlier life kept, if the config has a canary that may name it.
Result<std::unique_ptr<child::Intake>> make_kept_intake(const HostOptions& options) {
  const bool any = std::ranges::any_of(lambdas_of(options.config), &LambdaPlace::by_broker);
  if (!any) return nullptr;
  std::error_code error;
  fs::create_directories(kept_dir(options.config), error);
  if (error)
    return fail_errno(
        ErrorCode::io,
        "cannot make the directory " + kept_dir(options.config).string() + " for plugin versions",
        error.value());
  return child::make_intake({.dirs = {},
                             .builtin_dirs = {kept_dir(options.config)},
                             .require_level = options.config.sandbox_require,
                             .life_fd = options.life_fd});
}

}  // namespace

Loop::Loop(const HostOptions& options, std::unique_ptr<child::Intake> intake,
           std::unique_ptr<child::Intake> kept, UniqueFd epoll, UniqueFd stop_event)
    : config_(options.config),
      transport_(options.transport),
      life_fd_(options.life_fd),
      stop_fd_(options.stop_fd),
      on_ready_(options.on_ready),
      intake_(std::move(intake)),
      kept_intake_(std::move(kept)),
      epoll_(std::move(epoll)),
      stop_event_(std::move(stop_event)),
      places_(lambdas_of(config_)),
      worker_(plan_of(config_)),
      look_every_ns_(look_interval_ns(plan_of(config_))),
      session_(transport_, {.host = options.name,
                            .home = options.home,
                            .lambdas = names_of(places_, config_),
                            .labels = config_.host.labels,
                            .jobs_max = config_.host.jobs_max,
                            .lease_ns = config_.lease_ms * ns_per_ms}),
      kept_(kept_dir(config_)),
      children_(epoll_.get(), tag_first_child) {}

Result<void> Loop::add(int fd, Tag tag) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return fail_errno(ErrorCode::io, "the host cannot wait for its descriptors", errno);
}

Result<void> Loop::begin() {
  for (const auto& [fd, tag] :
       {std::pair{stop_event_.get(), tag_stop}, std::pair{transport_.fd(), tag_transport},
        std::pair{intake_->fd(), tag_intake}}) {
    if (Result<void> added = add(fd, tag); !added) return added;
  }
  if (kept_intake_)
    if (Result<void> added = add(kept_intake_->fd(), tag_kept); !added) return added;
  if (stop_fd_ >= 0) return add(stop_fd_, tag_signal);
  return {};
}

void Loop::stop() {
  ::eventfd_write(stop_event_.get(), 1);
}

Result<void> Loop::run() {
  now_ns_ = boot_ns();
  const auto is_pure = [](const LambdaPlace& place) { return place.lambda->grant.empty(); };
  if (std::ranges::any_of(places_, is_pure)) children_.expect_start();
  step_intake();
  begin_session();
  decide_and_do();
  finish_turn();
  while (!drained_ && !at_once_) {
    if (Result<void> waited = wait(); !waited) return waited;
    gather();
    decide_and_do();
    finish_turn();
  }
  if (drained_) say_goodbye();  // else jobs may run until the children have seen our end
  return {};
}

std::int64_t Loop::next_intake_ns() const {
  const std::int64_t next = intake_->next_step_boot_ns();
  return kept_intake_ ? std::min(next, kept_intake_->next_step_boot_ns()) : next;
}

// When something is due even if no descriptor is readable.
std::int64_t Loop::next_ns() const {
  if (kept_.busy()) return now_ns_;
  std::int64_t next = std::min(now_ns_ + sleep_most_ns, next_intake_ns());
  const auto sooner = [&](std::optional<std::int64_t> time_ns) {
    next = std::min(next, time_ns.value_or(next));
  };
  sooner(worker_.next_deadline());
  sooner(session_.heartbeat_due_ns());
  if (worker_.has_jobs() || children_.any_starting()) sooner(looked_ns_ + look_every_ns_);
  if (!children_.empty()) sooner(measure_due_ns());
  if (session_.has_unsent()) sooner(now_ns_ + send_pause_ns_);
  if (report_due_ && session_.is_open() && !session_.has_unsent()) sooner(reported_ns_ + report_every_ns);
  return next;
}

Result<void> Loop::wait() {
  const std::int64_t left_ns = std::max<std::int64_t>(next_ns() - boot_ns(), 0);
  const timespec timeout{.tv_sec = left_ns / ns_per_s, .tv_nsec = left_ns % ns_per_s};
  std::array<epoll_event, 64> events;
  const int count =
      ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) return fail_errno(ErrorCode::io, "the host cannot wait for events", errno);
  now_ns_ = boot_ns();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag >= tag_first_child) children_.poll(static_cast<ChildId>(tag - tag_first_child), inputs_);
    if (tag == tag_transport) receive();
    if (tag == tag_intake || tag == tag_kept) step_intake();
    if (tag == tag_stop || tag == tag_signal) ask_to_stop();
  }
  return {};
}

void Loop::ask_to_stop() {
  eventfd_t asked;
  ::eventfd_read(stop_event_.get(), &asked);
  signalfd_siginfo signal;
  const bool signalled = stop_fd_ >= 0 && ::read(stop_fd_, &signal, sizeof signal) > 0;
  at_once_ |= signalled && stop_asked_;
  stop_asked_ = true;
  sent_away_ = false;
  inputs_.emplace_back(DrainAsked{});
}

// What became due by time alone.
void Loop::gather() {
  if (now_ns_ >= next_intake_ns()) step_intake();
  const std::optional<std::int64_t> deadline = worker_.next_deadline();
  const bool watched = worker_.has_jobs() || children_.any_starting();
  const bool beats = session_.heartbeat_due_ns().value_or(now_ns_ + 1) <= now_ns_;
  if ((watched && now_ns_ - looked_ns_ >= look_every_ns_) || (deadline && *deadline <= now_ns_) || beats)
    look();
  if (children_.empty() || now_ns_ < measure_due_ns()) return;
  measured_ns_ = now_ns_;
  children_.measure(now_ns_, inputs_);
}

std::int64_t Loop::measure_due_ns() const {
  return measured_ns_ + (worker_.has_jobs() ? measure_busy_ns : measure_idle_ns);
}

void Loop::look() {
  looked_ns_ = now_ns_;
  children_.poll_all(inputs_);
  children_.look(inputs_);
  inputs_.emplace_back(TimePassed{});
}

// Doing may bring news at once (a ring is full, jobs came back): then the worker decides again.
void Loop::decide_and_do() {
  while (!inputs_.empty()) {
    std::vector<Input> inputs = std::exchange(inputs_, {});
    for (Action& action : worker_.step(now_ns_, inputs)) {
      std::visit([&](auto& what) { perform(what); }, action);
    }
    for (const BytesJudged& judged : worker_.take_judged()) take(judged);
    children_.poll_taken_back(inputs_);
  }
}

void Loop::finish_turn() {
  children_.wake();
  kept_.step();
  if (std::exchange(verdicts_due_, false)) write_verdicts();
  if (!statuses_.empty()) session_.report_statuses(std::exchange(statuses_, {}));
  if (session_.heartbeat_due_ns().value_or(now_ns_ + 1) <= now_ns_)
    session_.heartbeat(now_ns_, worker_.running());
  report_due_ |= children_.take_changed();
  if (report_due_ && now_ns_ - reported_ns_ >= report_every_ns) report();
  session_.flush();
  send_pause_ns_ =
      session_.has_unsent() ? std::clamp(2 * send_pause_ns_, send_again_ns, send_again_most_ns) : 0;
  tell_silence();
  if (!stop_asked_) children_.keep_spare();
}

void Loop::tell_silence() {
  if (!session_.has_unsent()) {
    unsent_since_ns_ = 0;
    told_silence_ = false;
    return;
  }
  if (unsent_since_ns_ == 0) unsent_since_ns_ = now_ns_;
  if (told_silence_ || now_ns_ - unsent_since_ns_ < tell_silence_ns) return;
  told_silence_ = true;
  log::warning("host", "nothing could be sent for {} s: {}", tell_silence_ns / ns_per_s, session_.trouble());
}

void Loop::say_goodbye() {
  session_.goodbye();
  const std::int64_t until_ns = boot_ns() + goodbye_wait_ns;
  for (session_.flush(); session_.has_unsent() && boot_ns() < until_ns; session_.flush()) {
    const timespec pause{.tv_sec = 0, .tv_nsec = send_again_ns};
    ::nanosleep(&pause, nullptr);
  }
}

Result<std::unique_ptr<HostLoop>> HostLoop::make(HostOptions options) {
  child::IntakeOptions intake_options{
      .dirs = options.config.plugins,
      .builtin_dirs = {},
      .require_level = options.config.sandbox_require,
      .life_fd = options.life_fd,
      .signatures = {options.config.require_signature, options.config.trusted_keys}};
  if (Result<fs::path> builtin = child::builtin_plugin_dir()) {
    intake_options.builtin_dirs.push_back(std::move(*builtin));
  } else {
    log::warning("host", "{}", builtin.error().message);
  }
  Result<std::unique_ptr<child::Intake>> intake = child::make_intake(std::move(intake_options));
  if (!intake) return std::unexpected(intake.error());
  Result<std::unique_ptr<child::Intake>> kept = make_kept_intake(options);
  if (!kept) return std::unexpected(kept.error());
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd stop_event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!epoll || !stop_event)
    return fail_errno(ErrorCode::io, "the host has no descriptor left for its loop", errno);
  auto loop = std::make_unique<Loop>(options, std::move(*intake), std::move(*kept), std::move(epoll),
                                     std::move(stop_event));
  if (Result<void> begun = loop->begin(); !begun) return std::unexpected(begun.error());
  return loop;
}

}  // namespace cape::host
