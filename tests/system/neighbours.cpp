#include "tests/system/neighbours.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "storage/journal/journal_db.hpp"
#include "wire/ping_client.hpp"

namespace cape::test {
namespace {

constexpr int subjects = 100, turns_per_s = 200;
constexpr std::size_t buckets = 52;  // as the plugin `measure` has them
constexpr double first_bucket_ms = 0.1, bucket_step = 1.25;

std::string config_text() {
  std::string text = R"(
[domain.steady]
source = "journal"
[topology.steady]
domain = "steady"
[topology.steady.lambda.measure]
plugin = "measure"
)";
  for (const std::string& act : worst_acts())
    text += fmt::format(R"([domain.{0}]
source = "journal"
[topology.{0}]
domain = "{0}"
retry = {{ first = "1ms", max = "5ms" }}
[topology.{0}.lambda.guest]
plugin = "worst"
timeout = "200ms"
limits = {{ memory = "128MiB" }}
breaker = {{ enabled = false }}
)",
                        act);
  return text;
}

// The end of the bucket behind which no more than that share of the events began.
double quantile_ms(const std::vector<std::uint64_t>& counts, double share) {
  const auto all = static_cast<double>(counts[0]);
  double within = 0, end_ms = first_bucket_ms;
  for (std::size_t bucket = 1; bucket <= buckets; ++bucket, end_ms *= bucket_step) {
    within += static_cast<double>(counts[bucket]);
    if (within >= share * all) return end_ms;
  }
  return end_ms;
}

// Appends and pings by the clock, however Cape does.
class Pacer {
 public:
  explicit Pacer(const fs::path& config_file) {
    const ConfigResult config = load_config(config_file);
    if (!config) throw std::runtime_error(to_text(config.error(), config_file));
    auto journal = storage::JournalDb::open(config->journal_dir(*config->domain("steady")), 1u << 20);
    if (!journal) throw std::runtime_error(journal.error().message);
    journal_.emplace(*std::move(journal));
    auto client = wire::PingClient::connect({.push = config->listen.push, .ping = config->listen.ping}, 0);
    if (!client) throw std::runtime_error(client.error().message);
    client_.emplace(*std::move(client));
    if (const auto there = client_->wait_for_broker(20'000); !there)
      throw std::runtime_error(there.error().message);
  }

  std::uint64_t run(int events_per_s, std::chrono::seconds time) {
    const auto begun = std::chrono::steady_clock::now();
    std::uint64_t appended = 0;
    for (std::int64_t turn = 1; turn <= turns_per_s * time.count(); ++turn) {
      std::this_thread::sleep_until(begun + turn * std::chrono::nanoseconds(ns_per_s / turns_per_s));
      appended += append(events_per_s / turns_per_s);
    }
    return appended;
  }

 private:
  std::uint64_t append(int count) {
    std::vector<storage::NewEvent> events;
    for (int i = 0; i < count; ++i)
      events.push_back({.subject = fmt::format("s{}", next_++ % subjects),
                        .sequence = std::nullopt,
                        .time_ns = wall_ns(),
                        .type = "t",
                        .payload = "p"});
    if (const auto done = journal_->append(std::span<const storage::NewEvent>(events)); !done)
      throw std::runtime_error(done.error().message);
    for (const storage::NewEvent& event : events)
      (void)client_->ping({.domain = "steady", .subject = event.subject});
    return events.size();
  }

  std::optional<storage::JournalDb> journal_;
  std::optional<wire::PingClient> client_;
  int next_ = 0;
};

}  // namespace

const std::vector<std::string>& worst_acts() {
  static const std::vector<std::string> acts = {"crash", "spin",   "memory", "threads",
                                                "log",   "stderr", "output"};
  return acts;
}

Neighbours::Neighbours(int events_per_s) : events_per_s_(events_per_s) {
  site_.configure(config_text());
  site_.add_plugin("measure");
  site_.add_plugin("worst");
}

bool Neighbours::up() {
  if (!site_.up()) return false;
  run(std::chrono::seconds(1));  // children are made, caches are filled
  return true;
}

std::vector<std::uint64_t> Neighbours::counted() const {
  std::vector<std::uint64_t> counts(buckets + 1);
  const Finished told = site_.cape({"status", "--json"});
  const auto all = nlohmann::json::parse(told.out, nullptr, false);
  if (told.exit != 0 || !all.is_object()) return counts;
  const auto metrics =
      all.value("metrics", nlohmann::json::object()).value("steady.measure", nlohmann::json::object());
  counts[0] = static_cast<std::uint64_t>(metrics.value("events", 0.0));
  for (std::size_t i = 0; i < buckets; ++i)
    counts[i + 1] = static_cast<std::uint64_t>(metrics.value(fmt::format("le_{}", i), 0.0));
  return counts;
}

Felt Neighbours::run(std::chrono::seconds time) {
  const std::vector<std::uint64_t> before = counted();
  Felt felt;
  felt.appended = Pacer(site_.dir() / "cape.toml").run(events_per_s_, time);
  std::vector<std::uint64_t> counts;
  Site::eventually([&] { return (counts = counted())[0] >= before[0] + felt.appended; },
                   std::chrono::seconds(30));
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= before[i];
  felt.processed = counts[0];
  felt.p95_ms = quantile_ms(counts, 0.95);
  felt.p99_ms = quantile_ms(counts, 0.99);
  return felt;
}

Felt Neighbours::alone(std::chrono::seconds time) {
  return run(time);
}

Felt Neighbours::beside(const std::string& act, std::chrono::seconds time) {
  std::string events;
  for (int i = 0; i < 50; ++i) events += fmt::format("{{\"subject\":\"s{}\",\"payload\":\"{}\"}}\n", i, act);
  if (site_.cape({"resume", act}).exit != 0 || site_.cape({"append", act, "--jsonl", "-"}, events).exit != 0)
    throw std::runtime_error("the hostile plugin got no events\n" + site_.up_log());
  const Felt felt = run(time);
  if (site_.cape({"pause", act}).exit != 0)
    throw std::runtime_error("it cannot be paused\n" + site_.up_log());
  return felt;
}

}  // namespace cape::test
