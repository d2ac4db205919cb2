// A grant of the network is one of TCP ports to connect to, and of nothing else.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fmt/format.h>

#include "tests/child/process/stage.hpp"

namespace cape::child {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

// Listens on a port of the machine's choice.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof at;
    const bool listens = ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&at), bytes) == 0 &&
                         ::listen(fd_.get(), 8) == 0 &&
                         ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at), &bytes) == 0;
    EXPECT_TRUE(listens);
    port_ = ntohs(at.sin_port);
  }
  std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

bool lacks_landlock(const Seen& seen) {
  return seen.last_text.find("needs landlock ABI 4") != std::string::npos;
}

TEST(NetworkGrant, LetsTheChildConnectToItsPortsAndNoFurther) {
  const Listener granted, other;
  ChildSpec spec = spec_of(fmt::format("run network {} {}", granted.port(), other.port()));
  spec.grant.network = {granted.port()};

  const Seen seen = perform(spec);

  if (lacks_landlock(seen)) GTEST_SKIP() << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("granted", "ok"))) << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("other", "EACCES")));
  EXPECT_THAT(seen.said, Contains(Pair("fast open", Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("udp", "EPROTONOSUPPORT")));
  EXPECT_THAT(seen.said, Contains(Pair("mptcp", Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("raw", Not("ok"))));
  EXPECT_THAT(seen.said, Contains(Pair("layers", HasSubstr(fmt::format("net:{}", granted.port())))));
  EXPECT_THAT(seen.said, Contains(Pair("layers", Not(HasSubstr("netns")))));
  EXPECT_LE(seen.said.at("level"), "B") << "the walls of the network are landlock and seccomp";
}

TEST(NetworkGrant, OtherFamiliesAndListeningStayViolations) {
  for (const char* act : {"run call 41 1 1 0", "run call 41 16 3 0", "run call 41 40 1 0", "run call 50 0 1",
                          "run call 49 0 0 16", "run call 53 1 1 0 0"}) {  // socket, listen, bind, socketpair
    ChildSpec spec = spec_of(act);
    spec.grant.network = {443};
    const Seen seen = perform(spec);
    if (lacks_landlock(seen)) GTEST_SKIP() << seen.last_text;
    EXPECT_EQ(seen.last_kind, 2u) << act << ": " << seen.last_text;
  }
}

TEST(NetworkGrant, GoesWithAGrantOfFiles) {
  const TempDir dir;
  const Listener granted, other;
  ChildSpec spec = spec_of(fmt::format("run network {} {}", granted.port(), other.port()));
  spec.grant.network = {granted.port()};
  spec.grant.read = {dir.path()};

  const Seen seen = perform(spec);

  if (lacks_landlock(seen)) GTEST_SKIP() << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("granted", "ok"))) << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("other", "EACCES")));
}

TEST(NetworkGrant, HoldsWithoutNamespacesToo) {
  const Listener granted, other;
  ChildSpec spec = spec_of(fmt::format("run network {} {}", granted.port(), other.port()));
  spec.grant.network = {granted.port()};
  spec.require_level = 'C';

  const Seen seen = perform_without_namespaces(spec);

  if (lacks_landlock(seen)) GTEST_SKIP() << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("granted", "ok"))) << seen.last_text;
  EXPECT_THAT(seen.said, Contains(Pair("other", "EACCES")));
}

TEST(NetworkGrant, LeavesTheSocketToTheHostAlone) {
  const auto try_call = [](long number, const std::string& arguments) {
    ChildSpec spec = spec_of(fmt::format("run call {} {}", number, arguments));
    spec.grant.network = {443};
    return perform(spec).said["call"];
  };
  const int control = fd_control;

  EXPECT_EQ(try_call(SYS_shutdown, fmt::format("{} 2", control)), "EPERM");
  EXPECT_EQ(try_call(SYS_getsockopt, fmt::format("{} 1 {} 0 0", control, SO_PEERCRED)), "EPERM");
}

}  // namespace
}  // namespace cape::child
