// `cape append`: writes the journal of a domain itself, so it needs no broker; its ping is only a hint.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "cli/append_lines.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "cli/jsonl.hpp"
#include "cli/ping_hint.hpp"
#include "cli/progress.hpp"
#include "core/clock.hpp"
#include "core/unique_fd.hpp"
#include "storage/journal/append_check.hpp"

namespace cape::cli {
namespace {

struct AppendArguments {
  std::string domain, subject, type, payload, jsonl;
  Sequence sequence = 0;  // 0: the next one
  bool no_ping = false;
};

std::expected<storage::JournalDb, Ending> open_journal(const Config& config, const std::string& domain_name) {
  const auto domain = domain_of(config, domain_name);
  if (!domain) return std::unexpected(domain.error());
  if ((*domain)->source != "journal")
    return std::unexpected(
        complain(Exit::usage,
                 fmt::format("domain '{}' has source '{}', which keeps its events itself; append works with "
                             "source \"journal\" alone: change the events where that source reads them, then "
                             "`cape ping {} SUBJECT`",
                             domain_name, shown((*domain)->source), domain_name)));
  auto journal = storage::JournalDb::open(config.journal_dir(**domain), config.payload_bytes_max);
  if (!journal) return std::unexpected(complain(Exit::failed, journal.error()));
  return std::move(*journal);
}

Ending append_one(const Context& context, const Config& config, const AppendArguments& arguments) {
  if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const storage::NewEvent event{
      .subject = arguments.subject,
      .sequence = arguments.sequence > 0 ? std::optional(arguments.sequence) : std::nullopt,
      .time_ns = std::nullopt,
      .type = arguments.type,
      .payload = arguments.payload};
  if (const std::string mistake = storage::mistake_of(event, config.payload_bytes_max); !mistake.empty())
    return complain(Exit::usage, shown(mistake));
  auto journal = open_journal(config, arguments.domain);
  if (!journal) return journal.error();
  const auto sequences = journal->append(std::span(&event, 1));
  if (!sequences) return complain(Exit::failed, sequences.error());

  const Sequence sequence = sequences->front();
  if (!arguments.no_ping) PingHints(config, arguments.domain).send(arguments.subject, sequence);
  say(context.json ? json_object({{"domain", json_string(arguments.domain)},
                                  {"subject", json_string(arguments.subject)},
                                  {"sequence", std::to_string(sequence)}})
                   : fmt::format("{} {} {}", arguments.domain, shown(arguments.subject), sequence));
  return Exit::done;
}

Ending report(const Context& context, const AppendArguments& arguments, const AppendReport& result) {
  std::vector<std::pair<std::string, std::string>> fields{
      {"domain", json_string(arguments.domain)},
      {"appended", std::to_string(result.appended)},
      {"line", result.error ? std::to_string(result.bad_line) : "null"}};
  const std::string count = fmt::format("{} event{}", result.appended, result.appended == 1 ? "" : "s");
  if (result.error) {
    Ending ending = complain(
        Exit::failed, fmt::format("{} line {}: {}. {} before it {} appended, none after it; correct the line "
                                  "and append from there",
                                  shown(arguments.jsonl), result.bad_line, shown(result.error->message),
                                  count, result.appended == 1 ? "was" : "were"));
    ending.fields = std::move(fields);
    return ending;
  }
  fields.emplace_back("error", "null");
  say(context.json ? json_object(fields) : fmt::format("{} appended to {}", count, arguments.domain));
  return Exit::done;
}

// How much is appended, and of a file how much that is of it.
class AppendProgress {
 public:
  explicit AppendProgress(int input) : input_(input), line_(STDERR_FILENO, boot_ns()) {
    struct stat status {};
    if (::fstat(input, &status) == 0 && S_ISREG(status.st_mode)) input_bytes_ = status.st_size;
  }
  void add(std::size_t events) {
    appended_ += events;
    const std::int64_t now_ns = boot_ns();
    if (line_.is_due(now_ns)) line_.show(now_ns, text());
  }
  void end() { line_.end(); }

 private:
  std::string text() const {
    const std::string events = fmt::format("{} events appended", with_commas(appended_));
    const off_t read = input_bytes_ > 0 ? ::lseek(input_, 0, SEEK_CUR) : -1;
    if (read < 0) return events;
    return fmt::format("{}, {} % of the file", events, std::min<off_t>(read * 100 / input_bytes_, 100));
  }

  int input_;
  off_t input_bytes_ = 0;  // 0: unknown
  std::uint64_t appended_ = 0;
  Progress line_;
};

Ending append_file(const Context& context, const Config& config, const AppendArguments& arguments) {
  UniqueFd file(arguments.jsonl == "-" ? ::dup(STDIN_FILENO)
                                       : ::open(arguments.jsonl.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file)
    return complain(Exit::usage, fmt::format("{} cannot be read: {}; name a file of events, or - for stdin",
                                             shown(arguments.jsonl), std::strerror(errno)));
  if (struct stat status{}; ::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode))
    return complain(Exit::usage, fmt::format("{} is a directory; name a file of events, or - for stdin",
                                             shown(arguments.jsonl)));
  auto journal = open_journal(config, arguments.domain);
  if (!journal) return journal.error();
  std::optional<PingHints> hints;
  if (!arguments.no_ping) hints.emplace(config, arguments.domain);

  LineReader lines(file.get(), event_line_bytes_max(config.payload_bytes_max));
  AppendProgress progress(file.get());
  const AppendReport result = append_lines(lines, {.payload_bytes_max = config.payload_bytes_max},
                                           {.append =
                                                [&](std::span<const storage::NewEvent> events) {
                                                  auto sequences = journal->append(events);
                                                  if (sequences) progress.add(sequences->size());
                                                  return sequences;
                                                },
                                            .ping =
                                                [&](std::string_view subject, Sequence sequence) {
                                                  if (hints) hints->send(subject, sequence);
                                                }});
  progress.end();
  return report(context, arguments, result);
}

Ending run_append(const Context& context, const AppendArguments& arguments) {
  const auto config = load(context);
  if (!config) return config.error();
  return arguments.jsonl.empty() ? append_one(context, *config, arguments)
                                 : append_file(context, *config, arguments);
}

constexpr const char* append_examples =
    "\nA line of FILE:\n"
    "  {\"subject\":\"a\",\"sequence\":1,\"time_ns\":0,\"type\":\"t\",\"payload\":\"text\"}\n"
    "with payload_base64 for bytes; sequence, time_ns and type are optional.\n"
    "\nExamples:\n"
    "  cape append history order/17 --type paid --payload '{\"amount\":5}'\n"
    "  cape append history --jsonl events.jsonl\n"
    "  my-export | cape append history --jsonl - --no-ping";

}  // namespace

void add_append(CLI::App& app, Context& context) {
  Command command(app, "append", "Write events into a domain's journal; needs no broker");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto arguments = std::make_shared<AppendArguments>();
  command.argument("DOMAIN", arguments->domain, "A domain with source \"journal\"");
  command.argument("SUBJECT", arguments->subject, "What the event happened to, 1..255 bytes", false);
  command.option("--sequence", arguments->sequence, "N", "Above the subject's last; else the next");
  command.option("--type", arguments->type, "T", "A word for what happened");
  command.option("--payload", arguments->payload, "TEXT", "The event's content");
  command.option("--jsonl", arguments->jsonl, "FILE", "One event a line; - is the standard input");
  command.flag("--no-ping", arguments->no_ping, "Tell no broker; refresh will find the events");
  for (const char* other : {"SUBJECT", "--sequence", "--type", "--payload"})
    command.excludes("--jsonl", other);
  command.footer(append_examples);
  command.on_chosen([&context, arguments, subject_given = command.given("SUBJECT")]() -> std::string {
    if (arguments->jsonl.empty() && !subject_given()) return "SUBJECT or --jsonl FILE is required";
    context.run = [&context, arguments] { return run_append(context, *arguments); };
    return {};
  });
}

}  // namespace cape::cli
