// What users and strangers get wrong: each a clear error, no crash, nothing lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "tests/system/history.hpp"
#include "wire/admin_client.hpp"
#include "wire/ping_client.hpp"

namespace cape::test {
namespace {

constexpr const char* recording = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
)";

std::string noise(std::mt19937_64& random, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void throw_at_socket(zmq::context_t& context, zmq::socket_type type, const std::string& endpoint, std::mt19937_64& random) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::linger, 200);
  socket.set(zmq::sockopt::sndtimeo, 1000);
  socket.connect(endpoint);
  for (int i = 0; i < 300; ++i) (void)socket.send(zmq::buffer(noise(random, random() % 300)), zmq::send_flags::none);
}

// Bytes that are not even ZeroMQ's.
void throw_raw(const std::string& path, std::mt19937_64& random) {
  for (int i = 0; i < 20; ++i) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      const std::string bytes = noise(random, 2000);
      (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    ::close(fd);
  }
}

TEST(BadInput, RandomBytesOnEverySocketAreRefusedAndNothingIsLost) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Site site;
  site.configure(recording);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  zmq::context_t context;
  const std::string run = (site.data() / "run").string();

  for (const char* name : {"push", "ping", "admin", "monitor"}) throw_raw(run + "/" + name + ".sock", random);
  throw_at_socket(context, zmq::socket_type::push, "ipc://" + run + "/push.sock", random);
  throw_at_socket(context, zmq::socket_type::dealer, "ipc://" + run + "/ping.sock", random);
  throw_at_socket(context, zmq::socket_type::dealer, "ipc://" + run + "/admin.sock", random);
  throw_at_socket(context, zmq::socket_type::xsub, "ipc://" + run + "/monitor.sock", random);
  ASSERT_EQ(site.cape({"append", "history", "after"}).exit, 0);

  const fs::path log = site.data() / "state" / "seen" / "record" / "record.log";
  EXPECT_TRUE(Site::eventually([&] { return lines_of(log).size() == 1; }, std::chrono::seconds(20))) << site.up_log();
  Finished status;
  EXPECT_TRUE(Site::eventually(
      [&] {
        status = site.cape({"--json", "status"});
        return status.exit == 0 && nlohmann::json::parse(status.out).at("pings").at("refused") >= 500;
      },
      std::chrono::seconds(20)))
      << status.out << status.err;
}

TEST(BadInput, APingThatNamesNoDomainOrNoSubjectIsRefusedWithTheReason) {
  Site site;
  site.configure(recording);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();

  const Finished domain = site.cape({"ping", "nowhere", "a", "--ack"});
  const Finished empty = site.cape({"ping", "history", "", "--ack"});
  const Finished lengthy = site.cape({"ping", "history", std::string(256, 'x'), "--ack"});
  const Finished good = site.cape({"ping", "history", std::string(255, 'x'), "--ack"});

  EXPECT_EQ(domain.exit, 2);
  EXPECT_THAT(domain.err, ::testing::HasSubstr("nowhere"));
  EXPECT_EQ(empty.exit, 2);
  EXPECT_EQ(lengthy.exit, 2);
  EXPECT_THAT(lengthy.err, ::testing::HasSubstr("255"));
  EXPECT_EQ(good.exit, 0) << good.err;
}

TEST(BadInput, AMissingPluginIsNamedAndRunsOnceItIsThere) {
  Site site;
  site.configure(recording);
  ASSERT_TRUE(site.up()) << site.up_log();
  ASSERT_EQ(site.cape({"append", "history", "a"}).exit, 0);

  EXPECT_TRUE(Site::eventually([&] { return site.cape({"plugin", "list"}).out.find("record") != std::string::npos; },
                               std::chrono::seconds(10)));
  EXPECT_TRUE(Site::eventually([&] { return site.up_log().find("seen/record cannot run: ") != std::string::npos; },
                               std::chrono::seconds(10)))
      << site.up_log();
  EXPECT_EQ(site.up_log().find("@replay"), std::string::npos) << "nobody asked for a replay: " << site.up_log();
  site.add_plugin("record");

  const fs::path log = site.data() / "state" / "seen" / "record" / "record.log";
  EXPECT_TRUE(Site::eventually([&] { return lines_of(log).size() == 1; }, std::chrono::seconds(20))) << site.up_log();
}

TEST(BadInput, ADataDirectoryThatCannotBeMadeStopsTheStartWithItsName) {
  Site site;
  std::ofstream(site.dir() / "file") << "not a directory";
  std::ofstream(site.dir() / "cape.toml") << "data_dir = \"file/data\"\n" << recording;

  EXPECT_FALSE(site.up());

  EXPECT_EQ(site.wait_up(std::chrono::seconds(1)), -1) << "it has ended already";
  EXPECT_THAT(site.up_log(), ::testing::HasSubstr((site.dir() / "file").string()));
}

TEST(BadInput, ASecondBrokerOnTheSameDataIsRefused) {
  Site site;
  site.configure(recording);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();

  const Finished second = site.cape({"up"});

  EXPECT_EQ(second.exit, 1);
  EXPECT_THAT(second.err, ::testing::HasSubstr(std::to_string(site.up_pid())));
}

TEST(BadInput, APayloadOverTheLimitIsRefusedByTheJournal) {
  Site site;
  site.configure(recording);

  const std::string line = nlohmann::json{{"subject", "a"}, {"payload", std::string((1 << 20) + 1, 'x')}}.dump() + "\n";
  const Finished appended = site.cape({"append", "history", "--jsonl", "-"}, line);

  EXPECT_EQ(appended.exit, 1);
  EXPECT_THAT(appended.err, ::testing::HasSubstr("1048576"));
}

TEST(BadInput, AdminRequestOfTheWrongShapeIsRefusedInPlainWords) {
  Site site;
  site.configure(recording);
  site.add_plugin("record");
  ASSERT_TRUE(site.up()) << site.up_log();
  auto client = wire::AdminClient::connect("ipc://" + (site.data() / "run/admin.sock").string());
  ASSERT_TRUE(client) << client.error().message;

  for (const char* body : {R"({"domain":7,"subject":"a"})", R"({"domain":"history","subject":[]})"}) {
    const auto reply = client->call("subject", body, 5'000);

    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_FALSE(reply->ok);
    EXPECT_THAT(reply->body, testing::HasSubstr("method 'subject'"));
    EXPECT_THAT(reply->body, testing::HasSubstr("must be string"));
    EXPECT_THAT(reply->body, testing::Not(testing::HasSubstr("json.exception")));
  }
}

}  // namespace
}  // namespace cape::test
