// Who may connect: CURVE over tcp on this machine, with the keys that `cape keys new` makes.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "core/unique_fd.hpp"
#include "tests/wire/transport_ends.hpp"
#include "wire/admin_client.hpp"
#include "wire/codec.hpp"
#include "wire/ping_client.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::wire {
namespace {

namespace fs = std::filesystem;
using test::eventually;
using test::wait_for;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t long_ms = 20'000;  // never reached when the code is right
constexpr std::int64_t short_ms = 300;    // waited out by one that is refused

// One that nobody listens at now.
std::string free_endpoint() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

// A broker's admin socket behind a gate, served by a thread.
class Guarded : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_keys(keys));
    gate = Gate::open(context, keys).value();
    admin = zmq::socket_t(context, zmq::socket_type::router);
    ASSERT_TRUE(gate->bind(admin, Role::admin, endpoint));
    thread = std::jthread([this](std::stop_token stop) {
      while (!stop.stop_requested()) {
        gate->serve(16);
        while (auto envelope = receive_envelope(admin))
          send_envelope(admin, envelope->route, encode(AdminReply{true, "{}"}));
        refused = gate->refused();
        zmq_pollitem_t items[] = {{gate->socket(), 0, ZMQ_POLLIN, 0}, {admin.handle(), 0, ZMQ_POLLIN, 0}};
        ::zmq_poll(items, 2, 10);
      }
    });
  }
  void TearDown() override {
    thread.request_stop();
    if (thread.joinable()) thread.join();
  }

  Result<AdminReply> ask(const std::optional<ClientKeys>& with, std::int64_t timeout_ms) {
    return AdminClient::connect(endpoint, with).value().call("status", "{}", timeout_ms);
  }

  test::TempDir dir;
  fs::path keys = dir / "keys";
  std::string endpoint = free_endpoint();
  zmq::context_t context{1};
  std::unique_ptr<Gate> gate;
  zmq::socket_t admin;
  std::atomic<std::uint64_t> refused = 0;
  std::jthread thread;
};

TEST_F(Guarded, ClientWithTheKeyOfTheRoleIsLetIn) {
  const auto reply = ask(load_client_keys(keys, Role::admin).value(), long_ms);

  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->ok);
  EXPECT_EQ(refused, 0u);
}

TEST_F(Guarded, KeyOfAnotherRoleIsRefusedAndThePersonToldWhatToCheck) {
  for (const Role role : {Role::ping, Role::host, Role::watch}) {
    const auto reply = ask(load_client_keys(keys, role).value(), short_ms);

    ASSERT_FALSE(reply) << name_of(role);
    EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
    EXPECT_THAT(reply.error().message, AllOf(HasSubstr("refused or not reached"), HasSubstr("[keys]")));
  }
  EXPECT_TRUE(eventually([&] { return refused >= 3; }));
}

TEST_F(Guarded, StrangersKeyIsRefused) {
  ClientKeys stranger = load_client_keys(keys, Role::admin).value();
  char public_key[41], secret_key[41];
  ASSERT_EQ(::zmq_curve_keypair(public_key, secret_key), 0);
  stranger.public_key = public_key;
  stranger.secret_key = secret_key;

  EXPECT_FALSE(ask(stranger, short_ms));
  EXPECT_TRUE(eventually([&] { return refused >= 1; }));
}

TEST_F(Guarded, ClientWithoutAnyKeyIsRefused) {
  EXPECT_FALSE(ask({}, short_ms));
}

TEST_F(Guarded, ClientThatTakesTheBrokerForAnotherIsNotServed) {
  const fs::path other = dir / "other";
  ASSERT_TRUE(make_keys(other));
  ClientKeys mixed = load_client_keys(keys, Role::admin).value();
  mixed.server_key = load_client_keys(other, Role::admin)->server_key;

  EXPECT_FALSE(ask(mixed, short_ms));
}

TEST_F(Guarded, TransportIsForHostsAlone) {
  const std::string hosts = free_endpoint();
  thread.request_stop();  // from here on the gate is served by this thread
  thread.join();
  auto broker = open_broker_end(context, *gate, hosts).value();
  zmq::context_t other{1};
  auto wrong = open_host_end(other, hosts, load_client_keys(keys, Role::admin).value()).value();
  auto right = open_host_end(other, hosts, load_client_keys(keys, Role::host).value()).value();

  std::optional<FromHost> from;
  ASSERT_TRUE(eventually([&] {
    gate->serve(16);
    (void)right->send(HostGoodbye{7});
    EXPECT_FALSE(wrong->send(HostGoodbye{8}));
    return (from = broker->receive()).has_value();
  }));
  EXPECT_EQ(std::get<HostGoodbye>(from->message).session, 7u);
  EXPECT_TRUE(eventually([&] {
    gate->serve(16);
    return gate->refused() > 0;
  }));
}

TEST_F(Guarded, IpcSocketsNeedNoKeys) {
  zmq::socket_t ping(context, zmq::socket_type::pull);
  const std::string ipc = "ipc://" + (dir / "run" / "push.sock").string();
  ASSERT_TRUE(gate->bind(ping, Role::ping, ipc));

  auto client = PingClient::connect({.push = ipc, .ping = ipc});

  EXPECT_TRUE(client->wait_for_broker(long_ms));
}

TEST(Keys, AreWrittenForTheirOwnerAloneAndNeverOverwritten) {
  test::TempDir dir;
  ASSERT_TRUE(make_keys(dir / "keys"));

  for (const char* name : {"broker", "ping", "host", "watch", "admin"}) {
    struct stat found {};
    ASSERT_EQ(::stat((dir / "keys" / (std::string(name) + ".secret")).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat((dir / "keys" / (std::string(name) + ".public")).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 0777, 0644u);
  }
  const auto again = make_keys(dir / "keys");
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_THAT(again.error().message, HasSubstr("not overwritten"));
}

TEST(Keys, WhatIsWrongWithAFileIsNamedWithTheNextStep) {
  test::TempDir dir;
  const fs::path keys = dir / "keys";
  EXPECT_THAT(load_server_keys(keys).error().message,
              AllOf(HasSubstr("broker.secret"), HasSubstr("cape keys new")));
  ASSERT_TRUE(make_keys(keys));
  ASSERT_TRUE(load_server_keys(keys));

  fs::permissions(keys / "admin.secret", fs::perms(0640));
  EXPECT_THAT(load_client_keys(keys, Role::admin).error().message, HasSubstr("chmod 600"));

  std::ofstream(keys / "host.public", std::ios::app) << "# a remark\nnot a key\n";
  EXPECT_THAT(load_server_keys(keys).error().message, HasSubstr("host.public"));
}

TEST(Keys, ARoleMayHaveSeveral) {
  test::TempDir dir;
  ASSERT_TRUE(make_keys(dir / "keys"));
  ASSERT_TRUE(make_keys(dir / "second"));
  std::ofstream(dir / "keys" / "host.public", std::ios::app)
      << "# the second machine\n"
      << std::ifstream(dir / "second" / "host.public").rdbuf();

  const auto keys = load_server_keys(dir / "keys");

  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->clients[static_cast<std::size_t>(Role::host)].size(), 2u);
}

}  // namespace
}  // namespace cape::wire
