// tests/broker/hosts_fixture.hpp
// Hosts over a store and a transport that only remember: what hosts say goes in, what the scheduler must know
// and what was sent comes out.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "broker/hosts.hpp"
#include "broker/publisher.hpp"
#include "tests/fakes/memory_store.hpp"

namespace cape::broker {

using scheduler::Input;
using testing::IsEmpty;

inline constexpr std::int64_t lease_ns = 10 * ns_per_s;
inline constexpr std::int64_t kill_ns = 2 * ns_per_s;

// Keeps what was submitted; commits all of it when asked to.
class FakeStore final : public test::MemoryStore {
 public:
  Result<std::vector<storage::HostLease>> leases() override { return recorded; }
  storage::Ticket submit(storage::WriteBatch batch) override {
    for (storage::HostLease& lease : batch.leases) {
      std::erase_if(recorded, [&](const auto& old) { return old.host == lease.host; });
      recorded.push_back(std::move(lease));
    }
    for (const std::string& host : batch.leases_removed)
      std::erase_if(recorded, [&](const auto& old) { return old.host == host; });
    done_.push_back({.ticket = ++last_ticket_, .result = {}});
    return last_ticket_;
  }
  std::vector<storage::CommitDone> poll() override { return std::exchange(done_, {}); }

  std::vector<storage::HostLease> recorded;

 private:
  storage::Ticket last_ticket_ = 0;
  std::vector<storage::CommitDone> done_;
};

class FakeEnd final : public wire::BrokerEnd {
 public:
  Result<void> send(wire::PeerId peer, wire::ToHost message) override {
    if (full) return fail(ErrorCode::unavailable, "full");
    sent.emplace_back(peer, std::move(message));
    return {};
  }
  std::optional<wire::FromHost> receive() override { return std::nullopt; }
  int fd() const override { return -1; }
  void clear_wakeup() override {}

  template <class Message>
  std::vector<Message> all(wire::PeerId peer) const {
    std::vector<Message> found;
    for (const auto& [to, message] : sent)
      if (const auto* one = std::get_if<Message>(&message); one && to == peer) found.push_back(*one);
    return found;
  }

  std::vector<std::pair<wire::PeerId, wire::ToHost>> sent;
  bool full = false;
};

class HostsTest : public testing::Test {
 protected:
  HostsTest() {
    plan.domains = {"d"};
    plan.of_domain = {{0}};
    plan.lease_ns = lease_ns;
    plan.kill_ns = kill_ns;
    plan.topologies.push_back({.name = "t", .first_lambda = 0, .lambda_count = 2});
    plan.lambdas = {{.name = "first", .plugin = "p", .topology = 0},
                    {.name = "second", .plugin = "q", .topology = 0}};
    start({});
  }
  void start(std::vector<storage::HostLease> recorded) {
    publisher.reset();
    hosts = std::make_unique<Hosts>(plan, 3, end, saver, std::move(recorded), now_ns);
    publisher = std::make_unique<Publisher>(plan, *hosts, end);
  }

  static wire::HostHello hello_of(const std::string& name, SessionId session, std::uint64_t home = 1) {
    return {.host = name,
            .home = home,
            .session = session,
            .lambdas = {{"d", "t", "first", "p"}, {"d", "t", "second", "q"}},
            .offers = {{.id = "p", .hash = "pp"}, {.id = "q", .hash = "qq"}}};
  }
  std::vector<Input> say(wire::PeerId peer, wire::ToBroker message) {
    std::vector<Input> inputs;
    hosts->on_message({peer, std::move(message)}, now_ns, inputs);
    return inputs;
  }
  // What the store confirms leads to.
  std::vector<Input> commit() {
    saver.flush(now_ns);
    std::vector<Input> inputs;
    for (const auto& lease : saver.poll(now_ns).leases) hosts->on_lease_saved(lease, now_ns, inputs);
    return inputs;
  }
  std::vector<Input> step() {
    std::vector<Input> inputs;
    hosts->step(now_ns, inputs);
    return inputs;
  }
  template <class Kind>
  static std::vector<Kind> only(const std::vector<Input>& inputs) {
    std::vector<Kind> found;
    for (const Input& input : inputs)
      if (const auto* one = std::get_if<Kind>(&input)) found.push_back(*one);
    return found;
  }
  bool is_up(const std::vector<Input>& inputs) { return !only<scheduler::HostUp>(inputs).empty(); }

  std::int64_t now_ns = 100 * ns_per_s;
  scheduler::SchedulerPlan plan;
  Config config;
  FakeStore store;
  FakeEnd end;
  Saver saver{config, store};
  std::unique_ptr<Hosts> hosts;
  std::unique_ptr<Publisher> publisher;
};

}  // namespace cape::broker
