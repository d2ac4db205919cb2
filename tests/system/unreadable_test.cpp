// An event that has become larger than the limit parks its subject, with the reason, and no other one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

constexpr const char* two_recorders = R"(
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant  = { state = true }
[topology.also]
domain = "history"
[topology.also.lambda.record]
plugin = "record"
grant  = { state = true }
)";

std::string line_of(const char* subject, std::size_t payload_bytes) {
  return nlohmann::json{{"subject", subject}, {"payload", std::string(payload_bytes, 'x')}}.dump() + "\n";
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(Unreadable, AnEventOverTheLimitParksItsSubjectInEachTopologyAndOthersGoOn) {
  Site site;
  site.add_plugin("record");
  site.configure(two_recorders);
  std::string events;
  for (const char* subject : {"a", "huge", "z"}) events += line_of(subject, 10);
  events += line_of("huge", 300'000);
  for (const char* subject : {"a", "huge", "z"}) events += line_of(subject, 10);
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, events).exit, 0);
  site.configure("payload_bytes_max = 200000\n" + std::string(two_recorders));  // since then it was lowered

  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "60s"})) << site.up_log();
  EXPECT_EQ(site.wait_up(std::chrono::seconds(70)), 3) << "all that is behind is parked\n" << site.up_log();

  const auto told = nlohmann::json::parse(site.cape({"--json", "subject", "history", "huge"}).out);
  ASSERT_EQ(told.at("topologies").size(), 2u);
  for (const auto& topology : told.at("topologies")) {
    EXPECT_EQ(topology.at("state"), "parked");
    EXPECT_EQ(topology.at("cursor"), 1);
    EXPECT_THAT(topology.at("reason").get<std::string>(),
                testing::HasSubstr("event 2 has 300000 bytes of payload, the limit is 200000"));
  }
  for (const char* topology : {"seen", "also"}) {
    std::map<std::string, std::vector<std::int64_t>> ran;
    for (const Recorded& r : recorded(site.data() / "state" / topology / "record" / "record.log"))
      ran[r.subject].push_back(r.sequence);
    EXPECT_THAT(ran["a"], testing::ElementsAre(1, 2));
    EXPECT_THAT(ran["huge"], testing::ElementsAre(1));
    EXPECT_THAT(ran["z"], testing::ElementsAre(1, 2));
  }
  EXPECT_EQ(count(site.up_log(), "the limit is 200000"), 2u + 2u)
      << "once for each topology, and once by --until-idle\n"
      << site.up_log();
}

}  // namespace
}  // namespace cape::test
