// Sockets between threads of this process, over ipc in a directory of the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <zmq.hpp>

#include "core/unique_fd.hpp"
#include "wire/admin_client.hpp"
#include "wire/codec.hpp"
#include "wire/ping_client.hpp"
#include "wire/zmq/endpoint.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::wire {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::int64_t long_ms = 20'000;  // never reached when the code is right

class Zmq : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cape-wire-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path socket(const char* name) const { return directory_ / "run" / name; }
  std::string endpoint(const char* name) const { return "ipc://" + socket(name).string(); }
  PingEndpoints ping_endpoints() const { return {endpoint("push"), endpoint("ping")}; }

  static Envelope wait_for_envelope(zmq::socket_t& from) {
    zmq_pollitem_t item{from.handle(), 0, ZMQ_POLLIN, 0};
    if (::zmq_poll(&item, 1, long_ms) != 1) ADD_FAILURE() << "nothing came";
    return receive_envelope(from).value_or(Envelope{});
  }

  fs::path directory_;
  zmq::context_t context_{1};
};

using ZmqBind = Zmq;
using ZmqPing = Zmq;
using ZmqAdmin = Zmq;

TEST_F(ZmqBind, MakesADirectoryThatIsClosedToOthers) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);

  const auto bound = bind_endpoint(pull, endpoint("push"));

  ASSERT_TRUE(bound) << bound.error().message;
  struct stat found {};
  ASSERT_EQ(::stat((directory_ / "run").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
}

TEST_F(ZmqBind, RefusesADirectoryThatOthersMayEnter) {
  fs::create_directory(directory_ / "run");
  fs::permissions(directory_ / "run", fs::perms(0755));
  zmq::socket_t pull(context_, zmq::socket_type::pull);

  const auto bound = bind_endpoint(pull, endpoint("push"));

  EXPECT_EQ(bound.error().code, ErrorCode::conflict);
  EXPECT_THAT(bound.error().message, HasSubstr("chmod 700"));
}

TEST_F(ZmqBind, NeverTakesAwayAFileThatIsNoSocket) {
  fs::create_directory(directory_ / "run");
  fs::permissions(directory_ / "run", fs::perms(0700));
  std::ofstream(socket("push")) << "precious";
  zmq::socket_t pull(context_, zmq::socket_type::pull);

  const auto bound = bind_endpoint(pull, endpoint("push"));

  EXPECT_EQ(bound.error().code, ErrorCode::conflict);
  EXPECT_EQ(fs::file_size(socket("push")), 8u);
}

TEST_F(ZmqBind, TakesTheSocketOfADeadProcessAway) {
  fs::create_directory(directory_ / "run");
  fs::permissions(directory_ / "run", fs::perms(0700));
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(socket("push").native().size(), sizeof address.sun_path);
    socket("push").native().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(fs::is_socket(socket("push")));
  EXPECT_TRUE(is_unattended(endpoint("push")));
  zmq::socket_t pull(context_, zmq::socket_type::pull);

  EXPECT_TRUE(bind_endpoint(pull, endpoint("push")));
  EXPECT_FALSE(is_unattended(endpoint("push")));
}

TEST_F(ZmqBind, LeavesTheSocketOfALivingProcessAlone) {
  zmq::socket_t first(context_, zmq::socket_type::pull), second(context_, zmq::socket_type::pull);
  ASSERT_TRUE(bind_endpoint(first, endpoint("push")));

  const auto bound = bind_endpoint(second, endpoint("push"));

  EXPECT_EQ(bound.error().code, ErrorCode::conflict);
  EXPECT_THAT(bound.error().message, HasSubstr("another process listens"));
}

TEST_F(ZmqBind, RefusesEndpointsOfOtherMachinesAndPathsTooLong) {
  zmq::socket_t socket(context_, zmq::socket_type::dealer);

  EXPECT_THAT(bind_endpoint(socket, "tcp://0.0.0.0:7070").error().message,
              HasSubstr("CURVE keys are not configured"));
  EXPECT_THAT(connect_endpoint(socket, "tcp://10.1.1.1:7070").error().message, HasSubstr("CURVE"));
  EXPECT_THAT(bind_endpoint(socket, endpoint(std::string(200, 'x').c_str())).error().message,
              HasSubstr("a socket takes"));
}

TEST_F(ZmqPing, FireAndForgetArrives) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  ASSERT_TRUE(bind_endpoint(pull, endpoint("push"), ping_limits));
  auto client = PingClient::connect(ping_endpoints());
  ASSERT_TRUE(client);

  ASSERT_TRUE(client->wait_for_broker(long_ms));
  ASSERT_TRUE(client->ping({"history", "a", 7}));

  const auto ping = decode_ping(wait_for_envelope(pull).payload);
  ASSERT_TRUE(ping) << ping.error().message;
  EXPECT_EQ(ping->hint, 7);
}

TEST_F(ZmqPing, LastPingOfACommandArrivesWhenItMayLinger) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  ASSERT_TRUE(bind_endpoint(pull, endpoint("push"), ping_limits));
  {
    auto client = PingClient::connect(ping_endpoints(), long_ms);
    ASSERT_TRUE(client->wait_for_broker(long_ms));
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(client->ping({"history", "a", 0}));
  }

  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(wait_for_envelope(pull).payload.empty()) << i;
}

TEST_F(ZmqPing, WithoutABrokerNothingBlocks) {
  auto client = PingClient::connect(ping_endpoints(), 1000);
  ASSERT_TRUE(client);

  EXPECT_EQ(client->ping({"history", "a", 0}).error().code, ErrorCode::unavailable);
  EXPECT_THAT(client->wait_for_broker(long_ms).error().message, HasSubstr("start one with `cape up`"));
  EXPECT_EQ(client->ping_wait({"history", "a", 0}, long_ms).error().code, ErrorCode::unavailable);
}

TEST_F(ZmqPing, QueueThatNobodyReadsFillsAndThenDrops) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  ASSERT_TRUE(bind_endpoint(pull, endpoint("push"), {.queue_messages_max = 10, .message_bytes_max = 4096}));
  auto client = PingClient::connect(ping_endpoints());
  ASSERT_TRUE(client->wait_for_broker(long_ms));

  int sent = 0;
  while (sent < 10'000'000 && client->ping({"history", std::string(255, 'x'), 0})) ++sent;

  EXPECT_GT(sent, 10);
  EXPECT_LT(sent, 100'000) << "the queues of both ends and the kernel's buffer are bounded";
}

TEST_F(ZmqPing, AnswerIsThatOfThePing) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping"), ping_limits));
  std::jthread broker([&] {
    for (const PingAnswer answer : {PingAnswer::acknowledged, PingAnswer::refused}) {
      const Envelope envelope = wait_for_envelope(router);
      const auto ping = decode_ping(envelope.payload);
      send_envelope(router, envelope.route, encode(PingReply{answer, ping ? ping->subject : "?"}));
    }
  });
  auto client = PingClient::connect(ping_endpoints());

  const auto first = client->ping_wait({"history", "one", 0}, long_ms);
  const auto second = client->ping_wait({"history", "two", 0}, long_ms);

  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->answer, PingAnswer::acknowledged);
  EXPECT_EQ(first->reason, "one");
  EXPECT_EQ(second->answer, PingAnswer::refused);
  EXPECT_EQ(second->reason, "two");
}

TEST_F(ZmqPing, LateAnswerIsNotTakenForThatOfTheNextPing) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping"), ping_limits));
  auto client = PingClient::connect(ping_endpoints());

  const auto unanswered = client->ping_wait({"history", "one", 0}, 50);
  ASSERT_EQ(unanswered.error().code, ErrorCode::unavailable);
  std::jthread broker([&] {
    for (int i = 0; i < 2; ++i) {
      const Envelope envelope = wait_for_envelope(router);
      send_envelope(router, envelope.route,
                    encode(PingReply{PingAnswer::acknowledged, decode_ping(envelope.payload)->subject}));
    }
  });
  const auto answered = client->ping_wait({"history", "two", 0}, long_ms);

  ASSERT_TRUE(answered) << answered.error().message;
  EXPECT_EQ(answered->reason, "two");
}

TEST_F(ZmqAdmin, BodyGoesThereAndTheReplyComesBack) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("admin")));
  const std::string large(admin_reply_bytes_max, 'x');
  std::jthread broker([&] {
    const Envelope envelope = wait_for_envelope(router);
    const auto request = decode_admin_request(envelope.payload);
    const bool right = request && request->method == "subject" && request->body == "{\"a\":1}";
    send_envelope(router, envelope.route, encode(AdminReply{right, large}));
  });
  auto client = AdminClient::connect(endpoint("admin"));
  ASSERT_TRUE(client);

  const auto reply = client->call("subject", "{\"a\":1}", long_ms);

  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->ok);
  EXPECT_EQ(reply->body, large);
}

TEST_F(ZmqAdmin, SaysAtOnceThatNoBrokerListens) {
  auto client = AdminClient::connect(endpoint("admin"));

  const auto reply = client->call("status", "{}", long_ms);

  EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
  EXPECT_THAT(reply.error().message, HasSubstr("no broker listens at"));
}

TEST_F(ZmqAdmin, GivesUpOnABrokerThatHangs) {
  zmq::socket_t router(context_, zmq::socket_type::router);
  ASSERT_TRUE(bind_endpoint(router, endpoint("admin")));
  auto client = AdminClient::connect(endpoint("admin"));

  EXPECT_THAT(client->call("status", "{}", 50).error().message, HasSubstr("did not answer within 50 ms"));
}

TEST_F(ZmqAdmin, RefusesARequestThatNoBrokerWouldTake) {
  auto client = AdminClient::connect(endpoint("admin"));

  EXPECT_EQ(client->call("m", std::string(admin_request_bytes_max + 1, 'x'), 1).error().code,
            ErrorCode::limit);
}

TEST_F(Zmq, RouteOfARequestIsRepeatedSoThatReqPeersWork) {
  zmq::socket_t router(context_, zmq::socket_type::router), req(context_, zmq::socket_type::req);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping")));
  ASSERT_TRUE(connect_endpoint(req, endpoint("ping")));
  ASSERT_TRUE(send_envelope(req, {}, "question"));

  const Envelope envelope = wait_for_envelope(router);
  EXPECT_EQ(envelope.payload, "question");
  ASSERT_TRUE(send_envelope(router, envelope.route, "answer"));

  EXPECT_EQ(wait_for_envelope(req).payload, "answer");
}

TEST_F(Zmq, MessageOfTooManyFramesIsReadAwayAsAnEmptyPayload) {
  zmq::socket_t router(context_, zmq::socket_type::router), dealer(context_, zmq::socket_type::dealer);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping")));
  ASSERT_TRUE(connect_endpoint(dealer, endpoint("ping")));
  ASSERT_TRUE(send_envelope(dealer, Route(100, "frame"), "payload"));
  ASSERT_TRUE(send_envelope(dealer, {std::string(300, 'x')}, "payload"));
  ASSERT_TRUE(send_envelope(dealer, {"number 1", ""}, "good"));

  EXPECT_EQ(wait_for_envelope(router).payload, "");
  EXPECT_EQ(wait_for_envelope(router).payload, "");
  const Envelope good = wait_for_envelope(router);
  EXPECT_EQ(good.payload, "good");
  EXPECT_EQ(good.route.at(1), "number 1");
}

TEST_F(Zmq, PeerThatSendsMoreThanTheLimitIsCutOff) {
  zmq::socket_t router(context_, zmq::socket_type::router), rude(context_, zmq::socket_type::dealer),
      polite(context_, zmq::socket_type::dealer);
  ASSERT_TRUE(bind_endpoint(router, endpoint("ping"), ping_limits));
  ASSERT_TRUE(connect_endpoint(rude, endpoint("ping")));
  ASSERT_TRUE(send_envelope(rude, {}, std::string(5000, 'x')));
  ASSERT_TRUE(connect_endpoint(polite, endpoint("ping")));
  ASSERT_TRUE(send_envelope(polite, {}, "small"));

  EXPECT_EQ(wait_for_envelope(router).payload, "small");
}

}  // namespace
}  // namespace cape::wire
