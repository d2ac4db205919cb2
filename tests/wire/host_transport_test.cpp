// What is particular to the transport between processes: connections come and go, and peers may lie.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/clock.hpp"
#include "tests/wire/transport_ends.hpp"
#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::wire {
namespace {

using test::Ends;
using test::eventually;
using test::wait_for;
using test::Way;

TEST(HostTransport, HostsAreToldApart) {
  Ends ends(Way::zmq);
  auto other = ends.connect();
  const PeerId second = ends.greet(*other);
  ASSERT_NE(second, ends.peer);

  ASSERT_TRUE(ends.broker->send(ends.peer, CancelJob{1, 1}));
  ASSERT_TRUE(ends.broker->send(second, CancelJob{1, 2}));

  EXPECT_EQ(std::get<CancelJob>(wait_for(*ends.host).value()).job, 1u);
  EXPECT_EQ(std::get<CancelJob>(wait_for(*other).value()).job, 2u);
}

TEST(HostTransport, HostThatReadsNothingFillsItsOwnQueueAlone) {
  Ends ends(Way::zmq, 8);
  auto other = ends.connect();
  const PeerId second = ends.greet(*other);
  BrokerWelcome welcome{1, 1, 1};
  int sent = 0;
  while (sent < 10'000'000 && ends.broker->send(ends.peer, welcome)) ++sent;

  EXPECT_GE(sent, 4);  // libzmq counts what was read in groups
  EXPECT_LT(sent, 1'000'000) << "the queues of both ends and the kernel's buffer are bounded";
  ASSERT_TRUE(ends.broker->send(second, DrainHost{}));
  EXPECT_TRUE(std::holds_alternative<DrainHost>(wait_for(*other).value()));
}

TEST(HostTransport, ConnectionToTheNextBrokerIsMadeInMillisecondsAndTheHostIsAskedToSpeak) {
  Ends ends(Way::zmq);
  ends.broker.reset();
  ASSERT_TRUE(eventually([&] { return !ends.host->send(HostGoodbye{2}); }));

  const std::int64_t from_ns = boot_ns();
  ends.listen();
  ASSERT_TRUE(eventually([&] {  // the broker's end answers a connection when it receives
    EXPECT_FALSE(ends.broker->receive()) << "what was sent while no broker was there came late";
    const auto message = ends.host->receive();
    return message && std::get<HelloPlease>(*message).session == 0;
  }));

  std::printf("connected again after %.1f ms\n", static_cast<double>(boot_ns() - from_ns) / 1e6);
  ASSERT_TRUE(ends.host->send(HostGoodbye{3}));
  const auto from = wait_for(*ends.broker);
  ASSERT_TRUE(from);
  EXPECT_EQ(std::get<HostGoodbye>(from->message).session, 3u);
}

TEST(HostTransport, HostThatComesBackIsANewPeerAndTheOldOneIsGone) {
  Ends ends(Way::zmq);
  const PeerId old = ends.peer;

  ends.host = ends.connect();
  ends.peer = ends.greet(*ends.host);

  EXPECT_NE(ends.peer, old);
  EXPECT_TRUE(eventually([&] { return !ends.broker->send(old, DrainHost{}); }));
  ASSERT_TRUE(ends.broker->send(ends.peer, DrainHost{}));
  EXPECT_TRUE(wait_for(*ends.host));
}

class Raw : public testing::Test {
 protected:
  static void send(zmq::socket_t& socket, std::vector<std::string> frames) {
    const std::string payload = frames.back();
    frames.pop_back();
    ASSERT_TRUE(eventually([&] { return send_envelope(socket, frames, payload); }));
  }
};

TEST_F(Raw, MessageThatNobodyCanReadIsRefusedAndItsSenderAskedToBeginAnewOnceASecond) {
  Ends ends(Way::zmq);
  zmq::socket_t stranger(ends.host_context, zmq::socket_type::dealer);
  ASSERT_TRUE(connect_endpoint(stranger, ends.endpoint));

  for (int i = 0; i < 50; ++i) {
    send(stranger, {"\x93garbage"});
    send(stranger, {"two", encode(ToBroker(HostGoodbye{1}))});
  }
  send(stranger, {encode(ToBroker(HostGoodbye{4}))});

  const auto from = wait_for(*ends.broker);
  ASSERT_TRUE(from) << "what follows is taken";
  EXPECT_EQ(std::get<HostGoodbye>(from->message).session, 4u);
  std::optional<Envelope> asked;
  ASSERT_TRUE(eventually([&] { return (asked = receive_envelope(stranger)).has_value(); }));
  EXPECT_EQ(std::get<HelloPlease>(decode_to_host(asked->payload).value()).session, every_session);
  ASSERT_TRUE(ends.broker->send(from->peer, DrainHost{}));
  ASSERT_TRUE(eventually([&] { return (asked = receive_envelope(stranger)).has_value(); }));
  EXPECT_TRUE(std::holds_alternative<DrainHost>(decode_to_host(asked->payload).value()))
      << "it was asked once";
}

TEST_F(Raw, MessageOfABrokerThatCannotBeReadEndsTheSession) {
  test::TempDir dir;
  const std::string endpoint = "ipc://" + (dir / "run" / "hosts.sock").string();
  zmq::context_t context{1};
  zmq::socket_t broker(context, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(broker, endpoint));
  auto host = open_host_end(context, endpoint);
  ASSERT_TRUE(host);
  std::optional<Envelope> first;
  ASSERT_TRUE(eventually([&] {  // its socket takes the connection up when it is looked at
    EXPECT_FALSE((*host)->receive());
    return (first = receive_envelope(broker)).has_value();
  }));
  EXPECT_TRUE(first->payload.empty()) << "a new connection makes itself known";

  send(broker, {first->route[0], "\xC1"});

  EXPECT_EQ(std::get<HelloPlease>(wait_for(**host).value()).session, every_session);
}

}  // namespace
}  // namespace cape::wire
