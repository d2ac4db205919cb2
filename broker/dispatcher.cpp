#include "broker/dispatcher.hpp"

#include <algorithm>
#include <variant>

#include "broker/admin_methods.hpp"
#include "broker/broker_state.hpp"
#include "broker/perform.hpp"
#include "broker/poller.hpp"
#include "broker/recording.hpp"
#include "broker/stored_inputs.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

constexpr std::size_t pings_per_turn = 1024;
constexpr std::size_t requests_per_turn = 16;
constexpr std::size_t connections_per_turn = 64;
constexpr std::size_t host_messages_per_turn = 256;
constexpr std::int64_t second_tick_ns = ns_per_s;
constexpr std::int64_t goodbye_wait_ns = 2 * ns_per_s;  // of the hosts, when the time to drain is over

class DispatcherLoop final : public Dispatcher {
 public:
  DispatcherLoop(DispatcherOptions options, std::vector<storage::HostLease> recorded)
      : b_(std::move(options), std::move(recorded), boot_ns()) {}

  Result<void> open();
  Result<RunEnd> run() override;

 private:
  enum class Ending : std::uint8_t { no, draining, at_once };

  void turn();
  void take_stop();
  void take_plugins();
  void take_pings();
  void take_sources();
  void take_source_report(DomainIndex domain, child::SourceReport& report);
  void take_hosts();
  void take_saves();
  void take_requests();
  void lose_store(const Error& error);
  void every_second();
  void step(std::vector<scheduler::Input> inputs);
  void release_unless_held(SubjectId subject);
  void ping_inbox();
  void drain(RunEnd end);
  std::optional<RunEnd> look_for_end();
  void look_for_idle();
  std::int64_t next_deadline() const;

  BrokerState b_;
  SystemClock clock_;
  Now now_ = clock_.now();
  Poller poller_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<scheduler::Input> inputs_;  // of this turn
  std::uint64_t generation_ = 1;          // of acknowledged pings; 1: those found in the inbox at start
  bool source_failed_ = false;
  Ending ending_ = Ending::no;
  RunEnd end_ = RunEnd::stopped;
  std::optional<Error> store_lost_;
  std::int64_t drain_end_ns_ = 0;
  std::int64_t next_second_ns_ = 0;
  IdleCheck idle_;
};

Result<void> DispatcherLoop::open() {
  if (auto opened = b_.open(); !opened) return opened;
  if (!b_.options.record_file.empty()) {
    auto recorder = Recorder::open(b_.options.record_file, b_.options.store.epoch());
    if (!recorder) return std::unexpected(recorder.error());
    recorder_ = std::move(*recorder);
  }
  return {};
}

Result<RunEnd> DispatcherLoop::run() {
  auto stored = stored_inputs(b_);
  if (!stored) return std::unexpected(stored.error());
  step(std::move(*stored));
  ping_inbox();
  b_.refresh.walk_behind();
  if (b_.options.on_ready) b_.options.on_ready();
  for (;;) {
    turn();
    if (auto end = look_for_end()) {
      if (store_lost_) return std::unexpected(*store_lost_);
      return *end;
    }
    poller_.wait(b_, std::max<std::int64_t>(0, next_deadline() - clock_.now().boot_ns));
  }
}

// One turn takes what has come, in the order a ping travels, and lets every part do what is due.
void DispatcherLoop::turn() {
  now_ = clock_.now();
  take_stop();
  take_plugins();
  take_pings();
  take_sources();
  take_saves();
  take_hosts();
  b_.hosts.step(now_.boot_ns, inputs_);
  b_.canaries.step(now_, inputs_);
  const auto due = b_.scheduler.next_deadline();
  if (due && *due <= now_.boot_ns) inputs_.push_back(scheduler::Tick{});
  step(std::exchange(inputs_, {}));
  b_.publisher.flush(inputs_);  // what could not be sent comes back in the next turn
  for (SourceLink& link : b_.links) link.step(now_.boot_ns);
  b_.baselines.step(now_.boot_ns);
  b_.replays.step(now_, inputs_);
  b_.refresh.step(now_);
  b_.coverage.step(now_);
  b_.tracker.pump(now_.boot_ns);
  b_.saver.flush(now_.boot_ns);
  b_.options.gate.serve(connections_per_turn);
  take_requests();
  if (now_.boot_ns >= next_second_ns_) every_second();
}

void DispatcherLoop::step(std::vector<scheduler::Input> inputs) {
  if (inputs.empty()) return;
  if (recorder_) recorder_->record(now_, inputs);
  for (const scheduler::Input& input : inputs)
    if (const auto* status = std::get_if<scheduler::Status>(&input)) b_.latencies.on_status(*status);
    else if (const auto* gone = std::get_if<scheduler::HostGone>(&input)) b_.latencies.on_host_gone(gone->host);
  perform(b_, b_.scheduler.step(now_, inputs), now_);
  b_.canaries.on_outcomes(b_.scheduler.outcomes());
  for (SubjectId subject : b_.scheduler.let_go()) b_.subjects.release(subject);
  for (const scheduler::Input& input : inputs)  // one that had nothing to do was never held
    if (const auto* request = std::get_if<scheduler::SchedulingRequest>(&input))
      release_unless_held(request->subject);
    else if (const auto* command = std::get_if<scheduler::Command>(&input))
      release_unless_held(command->subject);
}

void DispatcherLoop::release_unless_held(SubjectId subject) {
  if (!b_.scheduler.holds(subject)) b_.subjects.release(subject);
}

void DispatcherLoop::take_requests() {
  b_.admin->serve(requests_per_turn, [&](const wire::AdminRequest& request, const AdminTicket& ticket) {
    std::vector<scheduler::Input> inputs;
    auto reply = answer_admin(b_, request, ticket, inputs, now_.boot_ns);
    step(std::move(inputs));  // alone and at once: what was found of the subjects is true until the next step
    return reply;
  });
  b_.whys.step(now_.boot_ns);
  for (WhyDesk::Answer& answer : b_.whys.take_answers()) b_.admin->reply(answer.ticket, answer.reply);
  for (ReplayDesk::Answer& answer : b_.replay_desk.take_answers()) b_.admin->reply(answer.ticket, answer.reply);
  for (CanaryDesk::Answer& answer : b_.canaries.take_answers()) b_.admin->reply(answer.ticket, answer.reply);
  for (Operators::Answer& answer : b_.operators.take_answers()) b_.admin->reply(answer.ticket, answer.reply);
  for (PinDesk::Answer& answer : b_.pin_desk.take_answers()) b_.admin->reply(answer.ticket, answer.reply);
}

void DispatcherLoop::take_stop() {
  if (!poller_.stop_asked(b_.options.stop_fd)) return;
  if (ending_ != Ending::no) {
    ending_ = Ending::at_once;
    return;
  }
  log::info("broker", "stopping: jobs that run may finish, for {} s at most; a second signal ends at once",
            drain_max_ms / 1000);
  drain(RunEnd::stopped);
}

void DispatcherLoop::drain(RunEnd end) {
  ending_ = Ending::draining;
  end_ = end;
  drain_end_ns_ = now_.boot_ns + drain_max_ms * ns_per_ms + goodbye_wait_ns;
  b_.hosts.drain_all();
  b_.saver.put_coverage(b_.coverage.take_rows(INT64_MAX), now_.boot_ns);
  b_.saver.sync();
}

void DispatcherLoop::take_plugins() {
  if (b_.intake->step()) b_.source_plugins.take(*b_.intake);
}

void DispatcherLoop::take_pings() {
  std::vector<ReceivedPing> pings;
  b_.frontend->receive(pings_per_turn, pings);
  for (ReceivedPing& ping : pings) {
    const bool acked = ping.ack != 0;
    if (acked && (!b_.saver.has_room() || b_.tracker.size() >= pinged_subjects_max)) {
      b_.frontend->answer(ping.ack, {wire::PingAnswer::busy, "the broker has no room for more pings now; try again"});
      continue;
    }
    const std::uint64_t generation = acked ? ++generation_ : 0;
    b_.tracker.ping({.domain = ping.domain, .subject = ping.subject, .ping_ns = now_.boot_ns, .generation = generation});
    if (acked) b_.saver.put_inbox({b_.config().domains[ping.domain].name, std::move(ping.subject), generation}, ping.ack);
  }
}

void DispatcherLoop::take_sources() {
  std::vector<child::SourceReport> reports;
  for (DomainIndex domain = 0; domain < b_.links.size(); ++domain) {
    reports.clear();
    b_.links[domain].poll(reports, now_.boot_ns);
    for (child::SourceReport& report : reports) take_source_report(domain, report);
  }
  std::ranges::move(b_.tracker.take_failed(), std::back_inserter(inputs_));
  b_.source_plugins.judge(*b_.intake);
  if (std::exchange(source_failed_, false)) b_.journals.touch();
  // Requests are stepped alone and at once: what was found about their subjects is true until the next step.
  step(std::exchange(inputs_, {}));
}

void DispatcherLoop::take_source_report(DomainIndex domain, child::SourceReport& report) {
  if (auto* answer = std::get_if<child::QueryAnswer>(&report)) {
    if (b_.whys.on_answer(domain, *answer)) return;
    source_failed_ |= answer->status != OutcomeKind::ok && answer->status != OutcomeKind::not_found;
    tracker::Tracker::Step next = b_.tracker.on_answer(domain, std::move(*answer), now_.boot_ns);
    if (next.request) inputs_.push_back(std::move(*next.request));
    if (next.error) log::error("broker", "a subject's record: {}", next.error->message);
    if (next.gone_generation > 0)
      b_.saver.clear_inbox({b_.config().domains[domain].name, next.gone_subject, next.gone_generation}, now_.boot_ns);
  } else if (auto* scan = std::get_if<child::ScanAnswer>(&report)) {
    source_failed_ |= scan->status != OutcomeKind::ok;
    if (b_.baselines.on_scan(domain, *scan, now_.boot_ns)) return;
    if (b_.replays.on_scan(domain, *scan, now_.boot_ns) || b_.replay_desk.on_scan(domain, *scan)) return;
    b_.refresh.on_scan(domain, std::move(*scan), now_);
  } else if (auto* ping = std::get_if<child::SourcePing>(&report)) {
    b_.tracker.ping({.domain = domain, .subject = ping->subject, .ping_ns = now_.boot_ns});
  } else if (auto* done = std::get_if<child::CallDone>(&report)) {
    b_.tracker.on_call_done(domain, done->call);
  } else if (std::holds_alternative<child::ChildEnded>(report)) {
    source_failed_ = true;
    b_.tracker.on_source_lost(domain, now_.boot_ns);
    b_.refresh.on_source_lost(domain, now_.boot_ns);
    b_.baselines.on_source_lost(domain, now_.boot_ns);
    b_.replays.on_source_lost(domain, now_.boot_ns);
    b_.replay_desk.on_source_lost(domain);
    b_.whys.on_source_lost(domain);
  }
}

void DispatcherLoop::take_hosts() {
  b_.options.transport.clear_wakeup();
  for (std::size_t i = 0; i < host_messages_per_turn; ++i) {
    auto message = b_.options.transport.receive();
    if (!message) return;
    b_.hosts.on_message(std::move(*message), now_.boot_ns, inputs_);
  }
  poller_.again();  // there may be more: do not sleep
}

void DispatcherLoop::take_saves() {
  Saver::Done done = b_.saver.poll(now_.boot_ns);
  std::ranges::move(done.saved, std::back_inserter(inputs_));
  for (AckId ack : done.acknowledged) b_.frontend->answer(ack, {wire::PingAnswer::acknowledged, ""});
  for (AckId ack : done.refused) b_.frontend->answer(ack, {wire::PingAnswer::busy, done.error->message});
  for (std::uint64_t token : done.pauses)
    b_.operators.on_pause_saved(token, done.pauses_failed ? done.error : std::nullopt);
  for (const Saver::Done::Stored& page : done.baselines)
    for (TopologyIndex topology : b_.baselines.on_saved(page.id, page.is_stored, now_.boot_ns))
      inputs_.push_back(scheduler::BaselineDone{topology});
  for (const Saver::Done::Stored& pin : done.pins) b_.pin_desk.on_saved(pin.id, pin.is_stored, done.error);
  for (const Saver::Done::Stored& page : done.replays)
    b_.replays.on_saved(page.id, page.is_stored, now_.boot_ns, inputs_);
  for (const Saver::Done::Stored& record : done.canaries)
    b_.canaries.on_saved(record.id, record.is_stored, done.error);
  for (const storage::HostLease& lease : done.leases) b_.hosts.on_lease_saved(lease, now_.boot_ns, inputs_);
  if (done.broken && !store_lost_) lose_store(*done.error);
  if (done.error && !store_lost_ && b_.store_trouble != done.error->message)
    log::error("store", "{}; events may run again after a restart until it is mended", done.error->message);
  if (done.error || !done.saved.empty()) b_.store_trouble = done.error ? done.error->message : "";
}

// All that runs from now on would run again, and memory would hold what cannot be saved.
void DispatcherLoop::lose_store(const Error& error) {
  store_lost_ = error;
  log::error("store", "stopping: cursors can no longer be saved, so events that run now run again later");
  if (ending_ == Ending::no) drain(RunEnd::stopped);
}

void DispatcherLoop::every_second() {
  next_second_ns_ = now_.boot_ns + second_tick_ns;
  b_.journals.touch();
  for (const std::string& line : b_.failure_log.held_back(now_.boot_ns))
    log::write(log::Level::warning, "broker", line);
  b_.latencies.on_second(now_.boot_ns);
  b_.saver.put_coverage(b_.coverage.take_rows(now_.boot_ns), now_.boot_ns);
  if (b_.monitor->watched()) b_.monitor->publish("stats", stats_message(b_));
}

// Acknowledged pings that had not led to a stored read when the broker before us ended.
void DispatcherLoop::ping_inbox() {
  std::string domain, subject;
  for (;;) {
    auto rows = b_.options.store.inbox(1000, domain, subject);
    if (!rows) return log::error("store", "reading the ping inbox: {}", rows.error().message);
    if (rows->empty()) return;
    for (const storage::InboxRow& row : *rows) {
      domain = row.domain;
      subject = row.subject;
      auto at = std::ranges::find(b_.config().domains, row.domain, &DomainConfig::name);
      if (at == b_.config().domains.end()) continue;  // left the config; the row stays for its return
      const auto index = static_cast<DomainIndex>(at - b_.config().domains.begin());
      b_.tracker.ping({.domain = index, .subject = row.subject, .ping_ns = now_.boot_ns, .generation = generation_});
    }
  }
}

std::optional<RunEnd> DispatcherLoop::look_for_end() {
  if (ending_ == Ending::no && b_.options.until_idle_ms) look_for_idle();
  if (ending_ == Ending::no) return std::nullopt;
  const bool drained = b_.hosts.none() && (b_.saver.idle() || store_lost_);
  if (drained || ending_ == Ending::at_once || now_.boot_ns >= drain_end_ns_) return end_;
  return std::nullopt;
}

void DispatcherLoop::look_for_idle() {
  const scheduler::Counters counters = b_.scheduler.counters();
  if (b_.options.on_progress)
    b_.options.on_progress({.boot_ns = now_.boot_ns,
                            .started_ns = b_.started_ns,
                            .events_done = counters.events_done,
                            .jobs_in_flight = counters.jobs_in_flight});
  const bool scheduler_quiet =
      counters.jobs_in_flight == 0 && counters.waiting_bytes == 0 && counters.timers == 0 && counters.subjects_in_memory == 0;
  const IdleFacts facts{.quiet = scheduler_quiet && b_.tracker.idle() && b_.saver.idle() &&
                                 !b_.refresh.walking_behind() && !b_.baselines.running() && !b_.replays.busy() &&
                                 inputs_.empty(),
                        .activity = counters.jobs_issued + b_.tracker.counters().pings,
                        .sweep_complete = b_.refresh.sweep().complete,
                        .sweep_behind = b_.refresh.sweep().behind,
                        .sweep_stopped = b_.refresh.sweep().stopped + b_.replays.stopped()};
  switch (idle_.step(facts)) {
    case IdleStep::wait: break;
    case IdleStep::start_sweep: b_.refresh.start_at_once(); break;
    case IdleStep::sync: b_.saver.sync(); break;
    case IdleStep::idle: return drain(RunEnd::idle);
    case IdleStep::idle_stopped: print_behind(b_); return drain(RunEnd::idle_stopped);
  }
  if (now_.boot_ns < b_.started_ns + *b_.options.until_idle_ms * ns_per_ms) return;
  print_behind(b_);
  drain(RunEnd::timed_out);
}

std::int64_t DispatcherLoop::next_deadline() const {
  std::int64_t next = ending_ == Ending::no ? next_second_ns_ : std::min(next_second_ns_, drain_end_ns_);
  auto sooner = [&](std::optional<std::int64_t> at) {
    if (at) next = std::min(next, *at);
  };
  sooner(b_.scheduler.next_deadline());
  sooner(b_.tracker.next_deadline());
  sooner(b_.refresh.next_deadline());
  sooner(b_.baselines.next_deadline());
  sooner(b_.replays.next_deadline());
  sooner(b_.coverage.next_deadline());
  sooner(b_.canaries.next_deadline());
  sooner(b_.saver.next_deadline());
  sooner(b_.hosts.next_deadline());
  sooner(b_.whys.next_deadline());
  sooner(b_.intake->next_step_boot_ns());
  for (const SourceLink& link : b_.links) sooner(link.next_deadline());
  if (!inputs_.empty()) next = 0;
  return next;
}

}  // namespace

Result<std::unique_ptr<Dispatcher>> Dispatcher::make(DispatcherOptions options) {
  auto recorded = options.store.leases();
  if (!recorded) return std::unexpected(recorded.error());
  auto loop = std::make_unique<DispatcherLoop>(std::move(options), std::move(*recorded));
  if (auto opened = loop->open(); !opened) return std::unexpected(opened.error());
  return loop;
}

}  // namespace cape::broker
