// `cape ping`: tells the running broker to look at a subject.
#include <fmt/format.h>
#include <memory>

#include "cli/client_keys.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/json_text.hpp"
#include "wire/ping_client.hpp"

namespace cape::cli {
namespace {

constexpr int linger_ms = 2'000;
constexpr std::int64_t connect_timeout_ms = 2'000;
constexpr std::int64_t answer_timeout_ms = 10'000;  // an acknowledgement waits for the disk

struct PingArguments {
  std::string domain, subject;
  Sequence sequence = 0;
  bool ack = false;
};

Ending not_taken(const Error& error) {
  return complain(error.code == ErrorCode::unavailable ? Exit::no_broker : Exit::failed,
                  fmt::format("the ping was not taken: {}", shown(error.message)));
}

// The answer's word, or how the command ends.
std::expected<std::string, Ending> send(const Config& config, const PingArguments& arguments) {
  auto keys = client_keys(config, wire::Role::ping, arguments.ack ? config.listen.ping : config.listen.push);
  if (!keys) return std::unexpected(not_taken(keys.error()));
  auto client = wire::PingClient::connect(
      {.push = config.listen.push, .ping = config.listen.ping, .keys = *std::move(keys)}, linger_ms);
  if (!client) return std::unexpected(not_taken(client.error()));
  const wire::Ping ping{.domain = arguments.domain, .subject = arguments.subject, .hint = arguments.sequence};
  if (!arguments.ack) {
    auto sent = client->wait_for_broker(connect_timeout_ms);
    if (sent) sent = client->ping(ping);
    if (!sent) return std::unexpected(not_taken(sent.error()));
    return "sent";
  }
  const auto reply = client->ping_wait(ping, answer_timeout_ms);
  if (!reply) return std::unexpected(not_taken(reply.error()));
  switch (reply->answer) {
    case wire::PingAnswer::acknowledged:
      return "acknowledged";
    case wire::PingAnswer::busy:
      return std::unexpected(complain(
          Exit::failed, fmt::format("the broker is busy ({}); ping again later", shown(reply->reason))));
    case wire::PingAnswer::refused:
      break;
  }
  return std::unexpected(
      complain(Exit::failed, fmt::format("the broker refused the ping: {}", shown(reply->reason))));
}

Ending run_ping(const Context& context, const PingArguments& arguments) {
  if (Ending bad = check_subject(arguments.subject); bad.is_failure()) return bad;
  const auto config = load(context);
  if (!config) return config.error();
  if (const auto domain = domain_of(*config, arguments.domain); !domain) return domain.error();
  const auto answer = send(*config, arguments);
  if (!answer) return answer.error();
  say(context.json ? json_object({{"domain", json_string(arguments.domain)},
                                  {"subject", json_string(arguments.subject)},
                                  {"answer", json_string(*answer)}})
                   : *answer);
  return Exit::done;
}

}  // namespace

void add_ping(CLI::App& app, Context& context) {
  Command command(app, "ping", "Tell the running broker to look at a subject");
  // Owned by the options' bindings and the callback: both live as long as `app`.
  auto arguments = std::make_shared<PingArguments>();
  command.argument("DOMAIN", arguments->domain, "The subject's domain");
  command.argument("SUBJECT", arguments->subject, "The subject, 1..255 bytes");
  command.option("--sequence", arguments->sequence, "N", "The newest event you know of, as a hint");
  command.flag("--ack", arguments->ack, "Wait until the broker has stored the ping");
  command.footer(
      "\nA ping is a hint: Cape asks the source what is new, and finds by itself what no ping told about.\n"
      "\nExamples:\n  cape ping history order/17\n  cape ping history order/17 --sequence 7 --ack");
  command.on_chosen([&context, arguments] {
    context.run = [&context, arguments] { return run_ping(context, *arguments); };
    return std::string();
  });
}

}  // namespace cape::cli
