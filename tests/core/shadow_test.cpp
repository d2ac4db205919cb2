#include "core/config/shadow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Config two_topologies() {
  return with_shadows(test::good(R"(
[domain.history]
source = "journal"
queries_per_s = 5
[topology.audit]
domain = "history"
mode = "pipelined"
start = 7
retry = { park_after = 3 }
lambda.write = { plugin = "audit_log", grant = { state = true, read = ["/usr"] } }
[topology.mail]
domain = "history"
after = ["audit"]
lambda.send = { plugin = "mailer", grant = { write = ["/usr"] } }
)"));
}

TEST(Shadow, OfEachTopologyLiesAloneInADomainOfItsNameBehindAllThatIsLive) {
  const Config config = two_topologies();

  ASSERT_EQ(config.domains.size(), 3u);
  ASSERT_EQ(config.topologies.size(), 4u);
  EXPECT_EQ(live_domains(config), 1u);
  EXPECT_EQ(live_topologies(config), 2u);
  for (TopologyIndex i = 0; i < 2; ++i) {
    const TopologyConfig& shadow = config.topologies[2 + i];
    EXPECT_EQ(shadow.shadow_of, i);
    EXPECT_EQ(shadow.name, config.topologies[i].name + "@replay");
    EXPECT_EQ(shadow.domain, 1 + i);
    EXPECT_EQ(config.domains[shadow.domain].name, shadow.name);
    EXPECT_EQ(source_domain(config, shadow.domain), 0u);
    EXPECT_FALSE(is_name(shadow.name)) << "a config could have it";
  }
  EXPECT_EQ(source_domain(config, 0), 0u);
}

TEST(Shadow, RunsAsItsTopologyDoesButBeginsAndWaitsForNothing) {
  const Config config = two_topologies();

  EXPECT_EQ(config.topologies[2].mode, Mode::pipelined);
  EXPECT_EQ(config.topologies[2].retry.park_after, 3u);
  EXPECT_EQ(config.topologies[2].start.kind, StartPosition::Kind::beginning);
  EXPECT_THAT(config.topologies[3].after, IsEmpty());
}

TEST(Shadow, HasAStateDirectoryOfItsOwnAndWritesNowhereElse) {
  const Config config = two_topologies();
  const TopologyConfig& audit = config.topologies[2];
  const TopologyConfig& mail = config.topologies[3];

  EXPECT_EQ(config.state_dir(audit, audit.lambdas[0]), config.data_dir / "state/audit@replay/write");
  EXPECT_EQ(audit.lambdas[0].grant.read.size(), 1u);
  EXPECT_THAT(mail.lambdas[0].grant.write, IsEmpty());
  EXPECT_EQ(shadow_mistake(config.topologies[0]), "");
  EXPECT_THAT(shadow_mistake(config.topologies[1]), HasSubstr("lambda 'send' may write to /usr"));
}

}  // namespace
}  // namespace cape
