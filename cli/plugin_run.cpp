// `cape plugin run`: a lambda in its real sandbox over events from a file, without a broker. Nothing is tried
// again.
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/grant_option.hpp"
#include "cli/json_text.hpp"
#include "cli/jsonl.hpp"
#include "cli/line_reader.hpp"
#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "core/types.hpp"
#include "host/check/checker.hpp"
#include "host/check/specs.hpp"
#include "host/check/trial.hpp"
#include "host/child/wishes.hpp"

namespace cape::cli {
namespace {

constexpr std::uint64_t payload_bytes_max = 1u << 20;
constexpr std::size_t events_max = 100'000;  // of a file: all are held in memory
constexpr std::int64_t ms_max = 24 * 3'600 * 1'000;

struct RunArguments {
  std::string file, events, settings, grant;
  std::int64_t repeat = 1, batch = 1, timeout_s = 60;
  std::int64_t timeout_max_s = 0;  // 0: none was given
  bool wait = false;
};

// Where none is given, that of production; never below the timeout then.
std::int64_t timeout_max_s_of(const RunArguments& arguments) {
  if (arguments.timeout_max_s > 0) return arguments.timeout_max_s;
  return std::max(arguments.timeout_s, LambdaConfig().timeout_max_ms / 1'000);
}

using Events = std::vector<check::TrialEvent>;

// An event without a sequence gets the next of its subject.
Result<Events> read_events(const std::string& file) {
  const UniqueFd opened{file == "-" ? ::dup(0) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!opened) return fail_errno(ErrorCode::io, "cannot open " + file, errno);
  LineReader lines(opened.get(), event_line_bytes_max(payload_bytes_max));
  std::map<std::string, Sequence> last;
  Events events;
  for (;;) {
    const auto line = lines.next();
    if (!line)
      return fail(line.error().code, fmt::format("{}:{}: {}", file, lines.number(), line.error().message));
    if (!*line) return events;
    if ((*line)->empty()) continue;
    auto event = parse_event_line(**line, payload_bytes_max);
    if (!event)
      return fail(event.error().code, fmt::format("{}:{}: {}", file, lines.number(), event.error().message));
    Sequence& at = last[std::string(event->subject)];
    const Sequence sequence = event->sequence.value_or(at + 1);
    if (sequence <= at)
      return fail(ErrorCode::invalid, fmt::format("{}:{}: sequence {} does not rise above {}", file,
                                                  lines.number(), sequence, at));
    if (events.size() == events_max)
      return fail(ErrorCode::limit, fmt::format("{}:{}: at most {} events at once; split the file", file,
                                                lines.number(), events_max));
    at = sequence;
    events.push_back({.subject = std::string(event->subject),
                      .sequence = sequence,
                      .time_ns = event->time_ns.value_or(0),
                      .type = std::string(event->type),
                      .payload = std::string(event->payload)});
  }
}

// Neighbours of one subject, up to `batch` of them, in a job.
std::vector<wire::RunJob> jobs_of(const Events& events, std::size_t batch, std::int64_t repeat) {
  std::vector<wire::RunJob> jobs;
  for (std::int64_t round = 0; round < repeat; ++round)
    for (std::size_t from = 0; from < events.size();) {
      std::size_t to = from + 1;
      while (to < events.size() && to - from < batch && events[to].subject == events[from].subject) ++to;
      jobs.push_back(check::job_of(jobs.size() + 1, std::span(events).subspan(from, to - from)));
      jobs.back().may_repeat = round > 0;
      from = to;
    }
  return jobs;
}

// What a job of which `told` events have their line still has to run; empty: nothing. Of several events that
// were in work at a death nobody knows which one did it: they run again one by one, as in production.
std::vector<wire::RunJob> rest_of(const wire::RunJob& job, std::uint32_t told, bool one_by_one) {
  std::vector<wire::RunJob> rest;
  const std::uint32_t step = one_by_one ? 1 : job.events.count - told;
  for (std::uint32_t from = told; from < job.events.count; from += step) {
    rest.push_back(job);
    rest.back().events.first += from;
    rest.back().events.count = step;
    rest.back().may_repeat |= one_by_one;
  }
  return rest;
}

// Prints what came of each event, as it comes.
class Teller {
 public:
  explicit Teller(bool json) : json_(json) {}

  void log(const child::ChildLog& line) {
    if (json_)
      log_.push_back(json_string(line.text));
    else
      say(fmt::format("     log: {}", line.text));
  }
  // How many of the job's events it told; the others have not run, or with others in one call that died.
  std::uint32_t done(const wire::RunJob& job, const child::ChildJobDone& done) {
    const wire::JobStatus& status = done.status;
    const std::int64_t took_us = std::max<std::int64_t>(status.end_ns - status.first_start_ns, 0) / 1000;
    const std::uint32_t ran =
        std::max<std::uint32_t>(status.events_done + (is_done(status.end.kind) ? 0 : 1), 1);
    return tell(job, status, done.outputs, took_us / ran);
  }
  // The same; a child that died took its times and outputs with it.
  std::uint32_t died(const wire::RunJob& job, const wire::JobStatus& left) {
    return tell(job, left, {}, std::nullopt);
  }
  // What never came to run.
  void never_ran(const wire::RunJob& job, const Outcome& why) {
    for (std::uint32_t i = 0; i < job.events.count; ++i) event(job, i, why, "", std::nullopt);
  }
  bool all_good() const { return bad_ == 0; }
  std::size_t bad() const { return bad_; }

 private:
  std::uint32_t tell(const wire::RunJob& job, const wire::JobStatus& status,
                     const std::vector<std::string>& outputs, std::optional<std::int64_t> us) {
    const std::uint32_t good = std::min(status.events_done, job.events.count);
    for (std::uint32_t i = 0; i < good; ++i) event(job, i, {}, i < outputs.size() ? outputs[i] : "", us);
    const bool more_to_run = !status.started && job.events.count - good > (good == 0 ? 1u : 0u);
    if (good == job.events.count || more_to_run) return good;
    event(job, good, status.end, "", us);
    return good + 1;
  }
  void event(const wire::RunJob& job, std::uint32_t index, const Outcome& outcome, const std::string& output,
             std::optional<std::int64_t> us) {
    if (!is_done(outcome.kind)) ++bad_;
    const Sequence sequence = job.events[index].sequence;
    if (json_) {
      say(json_object({{"subject", json_string(job.subject)},
                       {"sequence", std::to_string(sequence)},
                       {"outcome", json_string(name_of(outcome.kind))},
                       {"reason", json_string(outcome.reason)},
                       {"output", json_string(output)},
                       {"us", us ? std::to_string(*us) : "null"},
                       {"log", json_list(log_)}}));
      log_.clear();
      return;
    }
    say(fmt::format("{:<10} {:>8} us  {} {}{}{}", name_of(outcome.kind), us ? std::to_string(*us) : "-",
                    printable(job.subject, subject_bytes_max), sequence,
                    output.empty() ? "" : "  -> " + printable(output, 300),
                    outcome.reason.empty() ? "" : "  " + outcome.reason));
  }

  bool json_;
  std::vector<std::string> log_;
  std::size_t bad_ = 0;
};

void wait_for_person(child::LambdaChild& child) {
  note(fmt::format("the plugin's process is the child of {}: gdb -p $(pgrep -P {}) as root; then press Enter",
                   child.pid(), child.pid()));
  for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();
}

Result<check::Bench> bench_of(const RunArguments& arguments) {
  check::Bench bench;
  auto image = check::take_image(arguments.file);
  if (!image) return std::unexpected(image.error());
  auto manifest = check::read_manifest(**image);
  if (!manifest) return std::unexpected(manifest.error());
  bench.manifest = std::move(*manifest);
  bench.image = std::move(*image);
  auto settings = parse_settings(arguments.settings);
  if (!settings) return std::unexpected(settings.error());
  bench.settings_json = std::move(*settings);
  auto grant = parse_grant(arguments.grant);
  if (!grant) return std::unexpected(grant.error());
  bench.grant = std::move(*grant);
  Grant granted = bench.grant;
  granted.state = true;
  if (std::string mistake = child::role_mistake(*bench.image, child::ChildKind::lambda, granted);
      !mistake.empty())
    return fail(ErrorCode::invalid, mistake + " (here: --grant read=DIR,write=DIR,code=DIR,network=PORT)");
  return bench;
}

// The same end as a host gives to what hangs.
void watch_event(child::LambdaChild& child, const child::ChildSpec& spec) {
  const child::LambdaChild::Running running = child.running();
  if (running.job == 0) return;
  const std::int64_t now = boot_ns();
  if (now - running.seen_started_ns > spec.timeout_max_ns)
    child.kill({OutcomeKind::hung, fmt::format("it ran longer than {} s (--timeout-max), heartbeats or not",
                                               spec.timeout_max_ns / ns_per_s)});
  else if (now - std::max(running.seen_started_ns, running.seen_heartbeat_ns) > spec.timeout_ns)
    child.kill({OutcomeKind::hung, fmt::format("no heartbeat for {} s", spec.timeout_ns / ns_per_s)});
}

// The jobs of a file, until each of their events has its line.
class Runs {
 public:
  Runs(check::TrialSpec spec, const RunArguments& arguments, std::vector<wire::RunJob> jobs, Teller& teller)
      : spec_(std::move(spec)), arguments_(arguments), jobs_(std::move(jobs)), teller_(teller) {}

  // A child until it dies or all is done; then another one for what is left, as in production.
  Ending run() {
    std::string bad_end;  // the first that no event answers for
    for (bool first = true; !jobs_.empty(); first = false) {
      const auto trial = check::try_lambda(spec_, jobs_, options());
      if (!trial) return complain(Exit::failed, trial.error().message);
      const child::ChildEnded& ended = trial->ended;
      if (!trial->ready) return give_up(ended.end, first);
      const bool blames_an_event = !ended.left.empty() && ended.left.front().started;
      if (!trial->went_well() && !blames_an_event && bad_end.empty()) bad_end = ended.end.reason;
      if (!ended.left.empty()) advance(teller_.died(jobs_[next_], ended.left.front()));
      // It did nothing and died: without a line for its event the next one would do the same, for ever.
      if (next_ == 0) teller_.never_ran(jobs_[next_++], ended.end);
      jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(std::exchange(next_, 0)));
    }
    if (!bad_end.empty()) return complain(Exit::failed, bad_end);
    if (teller_.all_good()) return Exit::done;
    return complain(Exit::failed, fmt::format("{} of the events were neither OK nor SKIPPED", teller_.bad()));
  }

 private:
  check::LambdaTrialOptions options() {
    check::LambdaTrialOptions options;
    options.ms_max = ms_max;
    options.singly = arguments_.batch == 1;
    if (arguments_.wait) options.on_ready = wait_for_person;
    options.watch = [this](child::LambdaChild& child) { watch_event(child, spec_); };
    options.tell = [this](const child::LambdaReport& report) {
      if (const auto* line = std::get_if<child::ChildLog>(&report)) teller_.log(*line);
      if (const auto* done = std::get_if<child::ChildJobDone>(&report))
        advance(teller_.done(jobs_[next_], *done));
    };
    return options;
  }
  // `told` events of the next job have their line; the others go on in a job behind it.
  void advance(std::uint32_t told) {
    const auto rest = rest_of(jobs_[next_], told, told == 0);
    jobs_.insert(jobs_.begin() + static_cast<std::ptrdiff_t>(++next_), rest.begin(), rest.end());
  }
  // Before anything ran the reason says it all.
  Ending give_up(const Outcome& end, bool first) {
    for (; !first && next_ < jobs_.size(); ++next_) teller_.never_ran(jobs_[next_], end);
    return complain(Exit::failed, end.reason);
  }

  const check::TrialSpec spec_;
  const RunArguments& arguments_;
  std::vector<wire::RunJob> jobs_;
  std::size_t next_ = 0;  // of jobs_: the first without all of its lines
  Teller& teller_;
};

Ending run_all(const check::Bench& bench, const RunArguments& arguments, std::vector<wire::RunJob> jobs,
               Teller& teller) {
  if (jobs.empty()) return Exit::done;
  const check::StateDir state;
  if (state.path().empty())
    return complain(Exit::failed, "no directory for the plugin's state can be made in /tmp");
  check::TrialSpec spec = check::lambda_of(bench, state.path());
  spec.timeout_ns = arguments.timeout_s * ns_per_s;
  spec.timeout_max_ns = timeout_max_s_of(arguments) * ns_per_s;
  return Runs(std::move(spec), arguments, std::move(jobs), teller).run();
}

Ending run_plugin(const Context& context, const RunArguments& arguments) {
  const auto bench = bench_of(arguments);
  if (!bench)
    return complain(Exit::usage, fmt::format("{}: {}", shown(arguments.file), bench.error().message));
  const auto events = read_events(arguments.events);
  if (!events) return complain(Exit::usage, events.error().message);
  if (events->empty()) note(fmt::format("{} has no events, so nothing runs", shown(arguments.events)));
  Teller teller(context.json);
  return run_all(*bench, arguments,
                 jobs_of(*events, static_cast<std::size_t>(arguments.batch), arguments.repeat), teller);
}

}  // namespace

void add_plugin_run(Command& plugin, Context& context) {
  Command command =
      plugin.subcommand("run", "Run a lambda over events from a file, in its sandbox, without a broker");
  auto arguments = std::make_shared<RunArguments>();
  command.argument("FILE", arguments->file, "The lambda's .so");
  command.option("--events", arguments->events, "FILE",
                 "One event a line, as for `cape append --jsonl`; - is stdin");
  command.option("--repeat", arguments->repeat, "N", "Run all events N times");
  command.option("--batch", arguments->batch, "N",
                 "Give up to N neighbouring events of one subject together");
  command.option("--timeout", arguments->timeout_s, "SECONDS",
                 "An event without heartbeat is HUNG after this (60)");
  command.option("--timeout-max", arguments->timeout_max_s, "SECONDS",
                 "An event is HUNG after this, heartbeats or not (3600)");
  command.option("--settings", arguments->settings, "JSON", "The lambda's config as a JSON object");
  command.option("--grant", arguments->grant, "GRANTS",
                 "read=DIR,write=DIR,code=DIR,network=PORT; a state directory comes of itself");
  command.flag("--wait-for-debugger", arguments->wait, "Wait for Enter before the first event");
  command.footer(
      "\nPrints outcome, time, subject, sequence and output of each event; exits 1 unless all are OK or "
      "SKIPPED.\n"
      "\nExamples:\n  cape plugin run geo.so --events events.jsonl\n"
      "  cape plugin run geo.so --events - --settings '{\"unit\":\"km\"}' --json");
  command.on_chosen([&context, arguments] {
    if (arguments->events.empty())
      return std::string("--events is missing: name a file of events, or - for stdin");
    if (timeout_max_s_of(*arguments) < arguments->timeout_s)
      return std::string("--timeout-max is below --timeout; raise it");
    context.run = [&context, arguments] { return run_plugin(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
