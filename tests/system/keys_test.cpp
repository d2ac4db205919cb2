// Broker, host and commands over tcp with keys, as between machines.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <fstream>

#include <fmt/format.h>

#include "core/unique_fd.hpp"
#include "tests/system/history.hpp"
#include "tests/system/process.hpp"

namespace cape::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// A port of this machine that nobody uses now.
int free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

class Keyed : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(site.cape({"keys", "new", "--dir", "keys"}).exit, 0);
    listen = fmt::format(
        "listen = {{ ping = \"tcp://127.0.0.1:{}\", hosts = \"tcp://127.0.0.1:{}\", admin = "
        "\"tcp://127.0.0.1:{}\", monitor = \"tcp://127.0.0.1:{}\" }}\n",
        free_port(), free_port(), free_port(), free_port());
    site.configure(keys_line("keys") + listen + topology);
    site.add_plugin("record");
    ASSERT_TRUE(broker.start_ready({"broker"})) << broker.log();
  }
  static std::string keys_line(const std::string& dir) { return "keys = { dir = \"" + dir + "\" }\n"; }
  // Another config beside the broker's, with its own data_dir.
  std::string config_of(const std::string& name, const std::string& head) {
    std::ofstream(site.dir() / (name + ".toml")) << "data_dir = \"" << name << "\"\nplugins = [\"plugins\"]\n"
                                                 << head << listen << topology;
    return name + ".toml";
  }

  static constexpr const char* topology = R"(lease = "2s"
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)";
  Site site;
  std::string listen;
  Daemon broker{site.dir(), "broker"};
};

TEST_F(Keyed, HostAndCommandsWithTheirKeysWork) {
  const std::string config = config_of("host_data", keys_line("keys"));
  Daemon host{site.dir(), "host"};
  ASSERT_TRUE(host.start_ready({"--config", config, "host", "--name", "far"})) << host.log() << broker.log();

  ASSERT_EQ(site.cape({"append", "history", "a", "--no-ping"}).exit, 0);
  const Finished ping = site.cape({"ping", "history", "a", "--ack"});
  EXPECT_EQ(ping.exit, 0) << ping.err;

  EXPECT_TRUE(Site::eventually(
      [&] {
        return site.cape({"plugin", "list", "--json"}).out.find("\"host\":\"far\"") != std::string::npos;
      },
      seconds(20)))
      << host.log() << broker.log();
  EXPECT_TRUE(Site::eventually(
      [&] {
        return lines_of(site.dir() / "host_data" / "state" / "seen" / "record" / "record.log").size() == 1;
      },
      seconds(20)))
      << host.log() << broker.log();
}

// The machine of somebody who watches has two files, and another role's secret opens nothing.
TEST_F(Keyed, MonitorNeedsTheKeyOfItsRole) {
  const auto keys_of = [&](const std::string& dir, const std::string& secret) {
    fs::create_directory(site.dir() / dir);
    fs::copy_file(site.dir() / "keys/broker.public", site.dir() / dir / "broker.public");
    fs::copy_file(site.dir() / "keys" / secret, site.dir() / dir / "watch.secret");
    return config_of(dir + "_data", keys_line(dir));
  };

  const Finished watched = site.cape(
      {"--config", keys_of("watcher", "watch.secret"), "monitor", "--once", "--json", "--timeout", "30s"});
  const Finished refused = site.cape({"--config", keys_of("pinger", "ping.secret"), "monitor", "--once"});
  const Finished without = site.cape({"--config", config_of("open_data", ""), "monitor", "--once"});

  EXPECT_EQ(watched.exit, 0) << watched.err << broker.log();
  EXPECT_THAT(watched.out, HasSubstr("\"topology\":\"seen\""));
  for (const Finished& ran : {refused, without}) {
    EXPECT_EQ(ran.exit, 4) << ran.out;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("refused or not reached"));
  }
}

TEST_F(Keyed, WrongKeysAreRefusedAndSaidSo) {
  ASSERT_EQ(site.cape({"keys", "new", "--dir", "strange"}).exit, 0);
  fs::copy_file(site.dir() / "keys" / "broker.public", site.dir() / "strange" / "broker.public",
                fs::copy_options::overwrite_existing);
  const std::string config = config_of("strange_data", keys_line("strange"));
  Daemon host{site.dir(), "host"};
  host.start({"--config", config, "host", "--name", "stranger"});

  const Finished ping = site.cape({"--config", config, "ping", "history", "a", "--ack"});
  EXPECT_EQ(ping.exit, 4);
  EXPECT_THAT(ping.err, HasSubstr("refused or not reached"));
  const Finished none = site.cape({"--config", config_of("open_data", ""), "status"});
  EXPECT_EQ(none.exit, 4);
  EXPECT_THAT(none.err, HasSubstr("refused or not reached"));
  EXPECT_TRUE(Site::eventually([&] { return host.log().find("refused or not reached") != std::string::npos; },
                               seconds(20)))
      << host.log();
  EXPECT_FALSE(host.is_ready());
  EXPECT_THAT(broker.log(), HasSubstr("refused connection number 1"));
  EXPECT_EQ(host.end(SIGTERM), 0) << "a host that reached nobody ends all the same";
}

}  // namespace
}  // namespace cape::test
