// cape-pace DOMAIN EVENTS_PER_S SECONDS: appends events to a domain's journal and pings for each, at a steady
// rate by the clock. Open loop: it does not slow down for Cape, so latencies are not flattered; when it runs
// late itself, it says by how much. The config is $CAPE_CONFIG, else ./cape.toml.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>
#include <thread>

#include "cli/client_keys.hpp"
#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "storage/journal/journal_db.hpp"
#include "wire/ping_client.hpp"

namespace {

using namespace cape;
using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t subjects = 100;

struct Plan {
  std::string domain;
  std::int64_t events_per_s = 0;
  std::int64_t seconds = 0;
};

struct Paced {
  std::uint64_t events = 0;
  std::uint64_t pings_dropped = 0;
  SteadyClock::duration late{};  // behind schedule, at worst
};

Result<Paced> pace(const Plan& plan, storage::JournalDb& journal, wire::PingClient& client) {
  Paced paced;
  const auto begin = SteadyClock::now();
  for (std::int64_t i = 0; i < plan.events_per_s * plan.seconds; ++i) {
    const SteadyClock::time_point due = begin + std::chrono::nanoseconds(i * ns_per_s / plan.events_per_s);
    std::this_thread::sleep_until(due);
    paced.late = std::max(paced.late, SteadyClock::now() - due);
    const storage::NewEvent event{.subject = fmt::format("paced/{}", i % subjects),
                                  .sequence = std::nullopt,
                                  .time_ns = std::nullopt,
                                  .type = "paced",
                                  .payload = std::to_string(i)};
    const auto sequences = journal.append(std::span(&event, 1));
    if (!sequences) return std::unexpected(sequences.error());
    if (!client.ping({.domain = plan.domain, .subject = event.subject, .hint = sequences->front()}))
      ++paced.pings_dropped;
    ++paced.events;
  }
  return paced;
}

Result<Paced> run(const Plan& plan) {
  const fs::path file = find_config(std::nullopt);
  const ConfigResult config = load_config(file);
  if (!config) return fail(ErrorCode::invalid, to_text(config.error(), file));
  const DomainConfig* domain = config->domain(plan.domain);
  if (!domain || domain->source != "journal")
    return fail(ErrorCode::invalid, fmt::format("'{}' is no domain with source \"journal\"", plan.domain));
  auto journal = storage::JournalDb::open(config->journal_dir(*domain), config->payload_bytes_max);
  if (!journal) return std::unexpected(journal.error());
  auto keys = cli::client_keys(*config, wire::Role::ping, config->listen.push);
  if (!keys) return std::unexpected(keys.error());
  auto client = wire::PingClient::connect(
      {.push = config->listen.push, .ping = config->listen.ping, .keys = *std::move(keys)}, 2'000);
  if (!client) return std::unexpected(client.error());
  if (auto there = client->wait_for_broker(2'000); !there) return std::unexpected(there.error());
  return pace(plan, *journal, *client);
}

std::optional<std::int64_t> number(std::string_view text, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > max)
    return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const auto rate = argc == 4 ? number(argv[2], 100'000) : std::nullopt;
  const auto seconds = argc == 4 ? number(argv[3], 3'600) : std::nullopt;
  if (!rate || !seconds) {
    fmt::print(stderr, "usage: cape-pace DOMAIN EVENTS_PER_S SECONDS, as in: cape-pace history 1000 5\n");
    return 2;
  }
  const auto paced = run({.domain = argv[1], .events_per_s = *rate, .seconds = *seconds});
  if (!paced) {
    fmt::print(stderr, "cape-pace: {}\n", printable(paced.error().message, 1000));
    return 1;
  }
  fmt::print("   {} events appended, {} pings dropped, at most {:.1f} ms behind schedule\n", paced->events,
             paced->pings_dropped, std::chrono::duration<double, std::milli>(paced->late).count());
  return 0;
}
