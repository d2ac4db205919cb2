// A plugin that misbehaves on one subject costs that subject alone, and is named with event and reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/system/history.hpp"

namespace cape::test {
namespace {

struct Guest {
  const char* plugin;
  const char* outcome;          // a regular expression on the reason people read
  const char* timeout = "30s";  // none but the hanging one is to meet it, on however slow a machine
};

// How gtest names the instances.
void PrintTo(const Guest& guest, std::ostream* out) {
  *out << guest.plugin;
}

class Hostile : public ::testing::TestWithParam<Guest> {};

TEST_P(Hostile, CostsOnlyItsOwnSubject) {
  Site site;
  site.configure(fmt::format(R"(
[domain.history]
source = "journal"
[topology.bad]
domain = "history"
retry  = {{ first = "10ms", max = "50ms", park_after = 2 }}
[topology.bad.lambda.guest]
plugin  = "{}"
config  = {{ subject = "poison" }}
grant   = {{ state = true }}
limits  = {{ memory = "128MiB" }}
timeout = "{}"
[topology.good]
domain = "history"
[topology.good.lambda.record]
plugin = "record"
grant  = {{ state = true }}
)",
                             GetParam().plugin, GetParam().timeout));
  site.add_plugin(GetParam().plugin);
  site.add_plugin("record");
  std::string events;
  OrderChecker others, good;
  for (int sequence = 1; sequence <= 5; ++sequence)
    for (const char* subject : {"a", "b", "c", "poison", "x", "y", "z"}) {
      events += nlohmann::json{{"subject", subject}, {"sequence", sequence}, {"payload", "p"}}.dump() + "\n";
      if (subject != std::string("poison")) others.expect(subject, sequence);
      good.expect(subject, sequence);
    }
  ASSERT_EQ(site.cape({"append", "history", "--jsonl", "-", "--no-ping"}, events).exit, 0);

  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "60s"})) << site.up_log();
  EXPECT_EQ(site.wait_up(std::chrono::seconds(70)), 3) << "all that is behind is parked\n" << site.up_log();

  for (const Recorded& r : recorded(site.data() / "state" / "bad" / "guest" / "record.log"))
    if (r.subject != "poison") others.ran({r.subject, r.sequence});
  others.finish();
  EXPECT_TRUE(others.mistakes().empty()) << text_of(others);
  check(good, recorded(site.data() / "state" / "good" / "record" / "record.log"));
  good.finish();
  EXPECT_TRUE(good.mistakes().empty()) << text_of(good);

  const Finished told = site.cape({"--json", "subject", "history", "poison"});
  ASSERT_EQ(told.exit, 0) << told.err;
  const auto subject = nlohmann::json::parse(told.out);
  for (const auto& topology : subject.at("topologies")) {
    if (topology.at("topology") != "bad") continue;
    EXPECT_EQ(topology.at("state"), "parked");
    EXPECT_EQ(topology.at("cursor"), 0);
    EXPECT_THAT(topology.at("reason").get<std::string>(), ::testing::ContainsRegex(GetParam().outcome));
  }
  EXPECT_TRUE(site.left_processes().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, Hostile,
    ::testing::Values(Guest{"segv", "SIGNALED.*SIGSEGV"}, Guest{"hang", "HUNG", "500ms"},
                      Guest{"exit0", "EXITED"}, Guest{"throw_it", "RETRY"},
                      Guest{"abort_it", "SIGNALED.*SIGABRT"}, Guest{"alloc", "OOM|NO_MEMORY|SIGNALED"},
                      Guest{"open_socket", "VIOLATION.*socket"}, Guest{"fail_perm", "FAILED"},
                      Guest{"long_reason", "FAILED: r{100}.*\\.\\.\\."}, Guest{"bad_status", "FAILED.*4242"}),
    ::testing::PrintToStringParamName());

}  // namespace
}  // namespace cape::test
