// tests/host/fake_broker.hpp
// The broker's end of an in-process transport, driven by hand, with a real HostLoop on a thread behind it.
#pragma once

#include <poll.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "host/worker/host_loop.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::test {

// One event, the first of a subject of its own.
inline wire::RunJob job_of(JobId id, std::string_view payload) {
  EventBlock block;
  block.add(1, 0, "t", payload);
  block.proven_from = block.proven_to = 1;
  wire::RunJob job;
  job.job = id;
  job.subject = "s" + std::to_string(id);
  job.events = {std::make_shared<const EventBlock>(std::move(block)), 0, 1};
  return job;
}

class FakeBroker {
 public:
  // `toml` without data_dir and plugins. `zoo` names plugins to be there from the start.
  FakeBroker(const std::string& toml, const std::vector<std::string>& zoo) {
    std::filesystem::create_directory(dir / "plugins");
    for (const std::string& name : zoo) drop(name);
    const std::string text =
        "data_dir = \"data\"\nplugins = [\"plugins\"]\nsandbox = { require = \"C\" }\n"
        "[domain.d]\nsource = \"journal\"\n" +
        toml;
    write_file(dir / "cape.toml", text);
    ConfigResult loaded = load_config(dir / "cape.toml");
    if (!loaded) {
      ADD_FAILURE() << to_text(loaded.error(), dir / "cape.toml");
      return;
    }
    config = std::move(*loaded);
    Result<std::unique_ptr<host::HostLoop>> made =
        host::HostLoop::make({.config = config, .transport = *pair.host, .name = "test", .home = 1});
    if (!made) {
      ADD_FAILURE() << made.error().message;
      return;
    }
    loop = std::move(*made);
    thread = std::thread([this] { result = loop->run(); });
  }
  ~FakeBroker() {
    if (!thread.joinable()) return;
    loop->stop();
    thread.join();
  }

  void drop(const std::string& plugin) {
    std::filesystem::copy_file(zoo_dir() / (plugin + ".so"), dir / "plugins" / (plugin + ".so"),
                               std::filesystem::copy_options::overwrite_existing);
  }
  static std::filesystem::path zoo_dir() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "zoo";
  }

  void send(wire::ToHost message) { ASSERT_TRUE(pair.broker->send(1, std::move(message)).has_value()); }
  void welcome() { send(wire::BrokerWelcome{.epoch = 1, .session = session, .lease_ms = lease_ms}); }
  void run(std::vector<wire::RunJob> jobs) {
    for (wire::RunJob& job : jobs) job.hash = credits[job.lambda].hash;
    send(wire::RunJobs{session, std::move(jobs)});
  }

  // Takes messages until `done()`; false: not within 10 s.
  template <class Done>
  bool until(Done done) {
    const std::int64_t end_ns = boot_ns() + 10 * ns_per_s;
    while (!done()) {
      const std::int64_t left_ms = (end_ns - boot_ns()) / ns_per_ms;
      if (left_ms <= 0) return false;
      pollfd readable{.fd = pair.broker->fd(), .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, static_cast<int>(left_ms));
      receive();
    }
    return true;
  }
  bool until_credit(LambdaIndex lambda = 0) {
    return until([&] { return session != 0 && credits[lambda].jobs_max > 0; });
  }
  bool until_statuses(std::size_t count) {
    return until([&] { return statuses.size() >= count; });
  }

  void receive() {
    pair.broker->clear_wakeup();
    while (std::optional<wire::FromHost> from = pair.broker->receive()) {
      std::visit([&](auto& message) { take(message); }, from->message);
    }
  }
  void take(wire::HostHello& hello) {
    session = hello.session;
    ++hellos;
    offers = hello.offers;
    credits.clear();
    if (answers) welcome();
  }
  void take(wire::HostOffers& message) { offers = message.offers; }
  void take(wire::HostCredit& credit) { credits[credit.lambda] = credit; }
  void take(wire::JobStatuses& message) {
    for (wire::JobStatus& status : message.statuses) statuses[status.job].push_back(std::move(status));
  }
  void take(wire::HostHeartbeat& heartbeat) {
    ++heartbeats;
    for (const wire::RunningEvent& event : heartbeat.running) running.insert(event.job);
    if (answers) send(wire::HeartbeatAnswer{.session = session, .sent_ns = heartbeat.sent_ns});
  }
  void take(wire::HostGoodbye&) { said_goodbye = true; }
  void take(wire::HostReport& message) { report = message; }

  TempDir dir;
  Config config;
  wire::InProcessPair pair = wire::make_in_process_transport();
  std::unique_ptr<host::HostLoop> loop;
  std::thread thread;
  Result<void> result;

  bool answers = true;
  std::int64_t lease_ms = 10'000;
  SessionId session = 0;
  int hellos = 0, heartbeats = 0;
  bool said_goodbye = false;
  std::vector<wire::PluginOffer> offers;
  std::map<LambdaIndex, wire::HostCredit> credits;
  std::map<JobId, std::vector<wire::JobStatus>> statuses;
  std::set<JobId> running;  // as heartbeats named them
  wire::HostReport report;
};

}  // namespace cape::test
