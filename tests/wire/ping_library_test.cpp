// libcape-ping as a service links it: through cape/ping.hpp and cape/ping.h alone.
#include <cape/ping.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include <zmq.hpp>

#include "tests/fakes/temp_dir.hpp"
#include "wire/codec.hpp"
#include "wire/zmq/endpoint.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::wire {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr auto long_time = 20s;  // never reached when the code is right

class PingLibrary : public testing::Test {
 protected:
  std::string endpoint(const char* name) const { return "ipc://" + (dir_.path() / "run" / name).string(); }
  cape::ping_v1::PingClient client() const {
    return cape::ping_v1::PingClient::in_data_dir(dir_.path().string());
  }

  static Envelope wait_for_envelope(zmq::socket_t& from) {
    zmq_pollitem_t item{from.handle(), 0, ZMQ_POLLIN, 0};
    if (::zmq_poll(&item, 1, 20'000) != 1) ADD_FAILURE() << "nothing came";
    return receive_envelope(from).value_or(Envelope{});
  }

  test::TempDir dir_;
  zmq::context_t context_{1};
};

TEST_F(PingLibrary, PingArrivesAsTheBrokerDecodesIt) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  ASSERT_TRUE(bind_endpoint(pull, endpoint("push.sock"), ping_limits));
  auto service = client();

  ASSERT_TRUE(service.ready(long_time));
  ASSERT_TRUE(service.ping("orders", "order/17", 42));

  const auto ping = decode_ping(wait_for_envelope(pull).payload);
  ASSERT_TRUE(ping) << ping.error().message;
  EXPECT_EQ(ping->domain, "orders");
  EXPECT_EQ(ping->subject, "order/17");
  EXPECT_EQ(ping->hint, 42);
  EXPECT_EQ(service.dropped(), 0u);
}

TEST_F(PingLibrary, WithoutABrokerNothingBlocksAndDropsAreCounted) {
  auto service = client();

  EXPECT_EQ(service.ping("orders", "a").code, CAPE_PING_UNAVAILABLE);
  EXPECT_EQ(service.ping("orders", "a").code, CAPE_PING_UNAVAILABLE);
  EXPECT_EQ(service.ready(long_time).code, CAPE_PING_UNAVAILABLE);
  const auto waited = service.ping_wait("orders", "a", 0, long_time);

  EXPECT_EQ(waited.code, CAPE_PING_UNAVAILABLE);
  EXPECT_THAT(waited.reason, HasSubstr("no broker"));
  EXPECT_EQ(service.dropped(), 2u);
}

TEST_F(PingLibrary, AnswerSaysStoredBusyOrRefusedAndWhy) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping.sock"), ping_limits));
  std::jthread broker([&] {
    for (const auto& [kind, reason] :
         {std::pair(PingAnswer::acknowledged, ""), std::pair(PingAnswer::busy, "inbox is full"),
          std::pair(PingAnswer::refused, "no such domain")}) {
      const Envelope envelope = wait_for_envelope(router);
      send_envelope(router, envelope.route, encode(PingReply{kind, reason}));
    }
  });
  auto service = client();

  EXPECT_TRUE(service.ping_wait("orders", "a", 0, long_time));
  const auto busy = service.ping_wait("orders", "a", 0, long_time);
  const auto refused = service.ping_wait("nowhere", "a", 0, long_time);

  EXPECT_EQ(busy.code, CAPE_PING_BUSY);
  EXPECT_EQ(busy.reason, "inbox is full");
  EXPECT_EQ(refused.code, CAPE_PING_REFUSED);
  EXPECT_EQ(refused.reason, "no such domain");
}

TEST_F(PingLibrary, BrokerThatDoesNotAnswerCostsTheTimeoutOnly) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping.sock"), ping_limits));
  auto service = client();

  const auto waited = service.ping_wait("orders", "a", 0, 50ms);

  EXPECT_EQ(waited.code, CAPE_PING_UNAVAILABLE);
  EXPECT_THAT(waited.reason, HasSubstr("did not answer within 50 ms"));
}

TEST_F(PingLibrary, MalformedArgumentsAreNeverSent) {
  auto service = client();

  EXPECT_THAT(service.ping("Not a name", "a").reason, HasSubstr("domain"));
  EXPECT_EQ(service.ping("orders", "").code, CAPE_PING_INVALID);
  EXPECT_EQ(service.ping("orders", std::string(256, 'x')).code, CAPE_PING_INVALID);
  EXPECT_EQ(service.ping("orders", "\xff").code, CAPE_PING_INVALID);
  EXPECT_EQ(service.ping("orders", "a", -1).code, CAPE_PING_INVALID);
  EXPECT_EQ(cape_ping(nullptr, "orders", "a", 0), CAPE_PING_INVALID);
  EXPECT_EQ(service.dropped(), 0u);
}

TEST_F(PingLibrary, OptionsThatCannotWorkAreRefusedWithTheNextStep) {
  cape_ping_client* made = nullptr;
  cape_ping_options options{};
  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_INVALID);
  EXPECT_THAT(cape_ping_error(), HasSubstr("struct_size"));

  options.struct_size = sizeof options;
  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_INVALID);
  EXPECT_THAT(cape_ping_error(), HasSubstr("data_dir"));

  options.data_dir = "relative";
  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_INVALID);

  options.push = options.ping = "tcp://192.0.2.1:7070";
  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_INVALID);
  EXPECT_THAT(cape_ping_error(), HasSubstr("CURVE"));

  options.server_public = "short";
  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_INVALID);
  EXPECT_THAT(cape_ping_error(), HasSubstr("Z85"));
  EXPECT_EQ(made, nullptr);
}

TEST_F(PingLibrary, OptionsOfAnOlderHeaderAreTaken) {
  const std::string data_dir = dir_.path().string();
  cape_ping_options options{};
  options.struct_size = offsetof(cape_ping_options, server_public);
  options.data_dir = data_dir.c_str();
  options.server_public = "must not be read";
  cape_ping_client* made = nullptr;

  EXPECT_EQ(cape_ping_connect(&options, &made), CAPE_PING_OK) << cape_ping_error();

  cape_ping_close(made);
}

TEST_F(PingLibrary, KeysOpenASocketThatKnowsThem) {
  char server_public[41], server_secret[41], own_public[41], own_secret[41];
  ASSERT_EQ(::zmq_curve_keypair(server_public, server_secret), 0);
  ASSERT_EQ(::zmq_curve_keypair(own_public, own_secret), 0);
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  pull.set(zmq::sockopt::curve_server, true);
  pull.set(zmq::sockopt::curve_secretkey, server_secret);
  pull.bind("tcp://127.0.0.1:*");
  const std::string bound = pull.get(zmq::sockopt::last_endpoint);
  cape_ping_options options{};
  options.push = options.ping = bound.c_str();
  options.server_public = server_public;
  options.public_key = own_public;
  options.secret_key = own_secret;
  cape::ping_v1::PingClient service(options);

  ASSERT_TRUE(service.ready(long_time));
  ASSERT_TRUE(service.ping("orders", "secretly"));

  EXPECT_EQ(decode_ping(wait_for_envelope(pull).payload)->subject, "secretly");
}

}  // namespace
}  // namespace cape::wire
