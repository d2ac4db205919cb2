#include "core/config/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using test::mistakes_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Endpoint, TakesAbsoluteIpcPathsUpToTheLimitOfASocket) {
  const std::string path = "/" + std::string(ipc_path_bytes_max - 1, 'x');

  EXPECT_EQ(parse_endpoint("ipc://" + path)->path, path);
  EXPECT_THAT(parse_endpoint("ipc://" + path + "x").error().message,
              HasSubstr("108 bytes long and a socket takes 107"));
}

TEST(Endpoint, TakesLoopbackAddressesInDigits) {
  EXPECT_EQ(parse_endpoint("tcp://127.0.0.1:7070")->kind, Endpoint::Kind::tcp);
  EXPECT_TRUE(parse_endpoint("tcp://127.8.9.1:1"));
  EXPECT_TRUE(parse_endpoint("tcp://[::1]:65535")->is_ipv6);
}

TEST(Endpoint, RefusesOtherMachinesUntilThereAreKeys) {
  for (const char* far : {"tcp://10.0.0.1:7070", "tcp://0.0.0.0:7070", "tcp://*:7070", "tcp://localhost:7070",
                          "tcp://[::]:7070", "tcp://eth0:7070", "tcp://128.0.0.1:1", "tcp://127.1:5"})
    EXPECT_THAT(parse_endpoint(far).error().message, HasSubstr("CURVE keys are not configured")) << far;
}

TEST(Endpoint, RefusesWhatIsNoEndpoint) {
  for (const char* bad : {"", "ipc://", "ipc://rel", "ipc://@abstract", "tcp://127.0.0.1",
                          "tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://127.0.0.1:65536",
                          "tcp://127.0.0.1:1x", "inproc://x", "udp://127.0.0.1:5", "/tmp/x"})
    EXPECT_EQ(parse_endpoint(bad).error().code, ErrorCode::invalid) << bad;
}

TEST(Listen, MistakeOfADataDirTooDeepForItsSocketsIsToldOnce) {
  EXPECT_THAT(
      mistakes_of("data_dir = \"/" + std::string(100, 'x') + "\"\n"),
      ElementsAre(AllOf(StartsWith("1 data_dir: the path of its socket run/monitor.sock is 118 bytes"),
                        HasSubstr("[listen]"))));
}

TEST(Listen, DeepDataDirIsFineWithSocketsElsewhere) {
  const Config config = test::good("data_dir = \"/" + std::string(100, 'x') + R"("
[listen]
push = "ipc:///run/c/push"
ping = "ipc:///run/c/ping"
admin = "ipc:///run/c/admin"
monitor = "ipc:///run/c/monitor"
)");

  EXPECT_EQ(config.listen.admin, "ipc:///run/c/admin");
}

TEST(Listen, NamesEachEndpointThatIsWrong) {
  EXPECT_THAT(mistakes_of(R"([listen]
push = "tcp://0.0.0.0:1"
ping = "ipc://@x"
admin = "ipc:///a/b"
monitor = "ipc:///a/c/../b"
pussh = "x"
)"),
              ElementsAre(AllOf(StartsWith("2 listen.push"), HasSubstr("CURVE")), StartsWith("3 listen.ping"),
                          AllOf(StartsWith("5 listen.monitor"), HasSubstr("same endpoint as admin")),
                          "6 listen.pussh: unknown key; did you mean \"push\"?"));
}

}  // namespace
}  // namespace cape
