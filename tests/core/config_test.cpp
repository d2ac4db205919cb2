// What a good file becomes.
#include "core/config/config.hpp"

#include <gtest/gtest.h>

#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using test::good;

constexpr const char* example = R"(
# cape.toml
data_dir = "data"
plugins  = ["plugins", "/opt/more"]
refresh  = { enabled = false, subjects_per_s = 500 }
payload_bytes_max = "4MiB"
lease = "20s"
sandbox = { require = "C" }
rollback = { slower = 3.5, above = "50ms", events = 200 }

[listen]
push = "ipc://sockets/push.sock"
monitor = "tcp://127.0.0.1:7070"

[domain.history]
source = "journal"

[domain.files]
source = "files"
timeout = "30s"
timeout_max = "2m"
config = { root = "tree", depth = 3, ratio = 0.5, deep = { flags = [true, false], day = 2026-01-31 } }
grant  = { read = ["tree", "/srv/x/"], state = true }

[topology.audit]
domain = "history"
mode   = "strict"
start  = "beginning"
after  = []
retry  = { first = "100ms", factor = 3, max = "10m", park_after = 5 }
batch_events = 64
batch_bytes = "128KiB"

[topology.audit.lambda.write]
plugin = "audit_log"
needs  = []
config = {}
grant  = { state = true }
children_max = 1
timeout = "1m"
timeout_max = "2h"

[topology.audit.lambda.count]
plugin = "counter"
limits = { memory = "64MiB", file_size = 0, threads = 4, files = 32, output = "4KiB" }

[topology.late]
domain = "files"
start = 100
lambda.index.plugin = "search_index"
)";

TEST(Config, ReadsEveryKeyAtTheTop) {
  const Config config = good(example);

  EXPECT_EQ(config.file, "/etc/cape/cape.toml");
  EXPECT_EQ(config.base_dir(), "/etc/cape");
  EXPECT_EQ(config.data_dir, "/etc/cape/data");
  EXPECT_EQ(config.plugins, (std::vector<fs::path>{"/etc/cape/plugins", "/opt/more"}));
  EXPECT_FALSE(config.refresh.enabled);
  EXPECT_EQ(config.refresh.subjects_per_s, 500u);
  EXPECT_EQ(config.payload_bytes_max, 4u << 20);
  EXPECT_EQ(config.lease_ms, 20'000);
  EXPECT_EQ(config.sandbox_require, 'C');
  EXPECT_EQ(config.rollback.slower, 3.5);
  EXPECT_EQ(config.rollback.above_ms, 50);
  EXPECT_EQ(config.rollback.events, 200u);
  EXPECT_EQ(config.listen.push, "ipc:///etc/cape/sockets/push.sock");
  EXPECT_EQ(config.listen.ping, "ipc:///etc/cape/data/run/ping.sock");
  EXPECT_EQ(config.listen.admin, "ipc:///etc/cape/data/run/admin.sock");
  EXPECT_EQ(config.listen.monitor, "tcp://127.0.0.1:7070");
}

TEST(Config, KeepsDomainsInTheOrderOfTheFile) {
  const Config config = good(example);

  ASSERT_EQ(config.domains.size(), 2u);
  EXPECT_EQ(config.domains[0].name, "history");
  EXPECT_EQ(config.domains[0].source, "journal");
  EXPECT_EQ(config.domains[0].config_json, "{}");
  EXPECT_TRUE(config.domains[0].grant.empty());
  const DomainConfig& files = config.domains[1];
  EXPECT_EQ(files.name, "files");
  EXPECT_EQ(files.timeout_ms, 30'000);
  EXPECT_EQ(files.timeout_max_ms, 120'000);
  EXPECT_EQ(files.grant.read, (std::vector<fs::path>{"/etc/cape/tree", "/srv/x"}));
  EXPECT_TRUE(files.grant.state);
  EXPECT_EQ(config.domain("files"), &files);
  EXPECT_EQ(config.domain("none"), nullptr);
}

TEST(Config, HandsThePluginItsTableAsJsonWithPathsAsWritten) {
  const Config config = good(example);

  EXPECT_EQ(config.domains[1].config_json,
            R"({"deep":{"day":"2026-01-31","flags":[true,false]},"depth":3,"ratio":0.5,"root":"tree"})");
}

TEST(Config, PutsEachLambdaBehindThoseItNeeds) {
  const Config config = good(R"(outputs_bytes_max = "8MiB"
[domain.d]
source = "s"
[topology.t]
domain = "d"
outputs_bytes_max = "64KiB"
[topology.t.lambda.join]
plugin = "p"
needs = ["left", "right"]
[topology.t.lambda.left]
plugin = "p"
needs = ["up"]
where = { zone = "eu", rack = "7" }
[topology.t.lambda.alone]
plugin = "p"
[topology.t.lambda.right]
plugin = "p"
needs = ["up"]
[topology.t.lambda.up]
plugin = "p"
[host]
labels = { zone = "eu" }
)");

  EXPECT_EQ(config.outputs_bytes_max, 8u << 20);
  const TopologyConfig& topology = config.topologies.at(0);
  EXPECT_EQ(topology.outputs_bytes_max, 64u << 10);
  std::vector<std::string> names;
  for (const LambdaConfig& lambda : topology.lambdas) names.push_back(lambda.name);
  EXPECT_EQ(names, (std::vector<std::string>{"alone", "up", "left", "right", "join"}));
  EXPECT_EQ(topology.lambdas[4].needs, (std::vector<std::string>{"left", "right"}));
  EXPECT_EQ(topology.lambdas[2].where, (HostLabels{{"zone", "eu"}, {"rack", "7"}}));
  EXPECT_EQ(config.host.labels, (HostLabels{{"zone", "eu"}}));
}

TEST(Config, ReadsTopologiesAndTheirLambdas) {
  const Config config = good(example);

  ASSERT_EQ(config.topologies.size(), 2u);
  const TopologyConfig& audit = *config.topology("audit");
  EXPECT_EQ(audit.domain, 0u);
  EXPECT_EQ(audit.mode, Mode::strict);
  EXPECT_EQ(audit.start.kind, StartPosition::Kind::beginning);
  EXPECT_EQ(audit.retry.first_ms, 100);
  EXPECT_EQ(audit.retry.factor, 3);
  EXPECT_EQ(audit.retry.max_ms, 600'000);
  EXPECT_EQ(audit.retry.park_after, 5u);
  EXPECT_EQ(audit.batch_events, 64u);
  EXPECT_EQ(audit.batch_bytes, 128u << 10);
  ASSERT_EQ(audit.lambdas.size(), 2u);
  EXPECT_EQ(audit.lambdas[0].name, "write");
  EXPECT_EQ(audit.lambdas[0].plugin, "audit_log");
  EXPECT_EQ(audit.lambdas[0].timeout_ms, 60'000);
  EXPECT_EQ(audit.lambdas[0].timeout_max_ms, 7'200'000);
  EXPECT_EQ(config.state_dir(audit, audit.lambdas[0]), "/etc/cape/data/state/audit/write");
  EXPECT_EQ(audit.lambdas[1].limits.memory_bytes, 64u << 20);
  EXPECT_EQ(audit.lambdas[1].limits.file_bytes, 0u);
  EXPECT_EQ(audit.lambdas[1].limits.threads, 4u);
  EXPECT_EQ(audit.lambdas[1].limits.files, 32u);
  EXPECT_EQ(audit.lambdas[1].limits.output_bytes, 4096u);
  const TopologyConfig& late = *config.topology("late");
  EXPECT_EQ(late.domain, 1u);
  EXPECT_EQ(late.start.kind, StartPosition::Kind::sequence);
  EXPECT_EQ(late.start.sequence, 100);
}

TEST(Config, TakesTheSourcesLatestForAStart) {
  const Config config = good(R"(
[domain.d]
source = "journal"
[topology.t]
domain = "d"
start = "latest"
lambda.l.plugin = "p"
)");

  EXPECT_EQ(config.topologies[0].start.kind, StartPosition::Kind::latest);
}

TEST(Config, TakesHowLongASubjectMayFail) {
  const Config config = good(R"(
[domain.d]
source = "journal"
[topology.t]
domain = "d"
stuck_after = "90s"
lambda.l.plugin = "p"
[topology.u]
domain = "d"
lambda.l.plugin = "p"
)");

  EXPECT_EQ(config.topologies[0].stuck_after_ms, 90'000);
  EXPECT_EQ(config.topologies[1].stuck_after_ms, 600'000);
}

TEST(Config, TakesWhatIsDoneAboutLateEvents) {
  const Config config = good(R"(
[domain.d]
source = "journal"
[topology.t]
domain = "d"
late = "run"
lambda.l.plugin = "p"
[topology.u]
domain = "d"
late = "report"
lambda.l.plugin = "p"
[topology.v]
domain = "d"
lambda.l.plugin = "p"
)");

  EXPECT_EQ(config.topology("t")->late, Late::run);
  EXPECT_EQ(config.topology("u")->late, Late::report);
  EXPECT_EQ(config.topology("v")->late, Late::report);
}

TEST(Config, FillsInWhatTheFileLeavesOut) {
  const Config config = good(R"(
[domain.d]
source = "journal"
[topology.t]
domain = "d"
[topology.t.lambda.plain]
plugin = "p"
[topology.t.lambda.writer]
plugin = "p"
grant = { state = true }
)");

  EXPECT_EQ(config.data_dir, "/etc/cape/data");
  EXPECT_TRUE(config.plugins.empty());
  EXPECT_TRUE(config.refresh.enabled);
  EXPECT_EQ(config.refresh.subjects_per_s, 10'000u);
  EXPECT_EQ(config.payload_bytes_max, 1u << 20);
  EXPECT_EQ(config.lease_ms, 10'000);
  EXPECT_EQ(config.sandbox_require, 'B');
  EXPECT_EQ(config.rollback.slower, 5);
  EXPECT_EQ(config.rollback.above_ms, 10);
  EXPECT_EQ(config.rollback.events, 100u);
  const TopologyConfig& topology = config.topologies.at(0);
  EXPECT_EQ(topology.retry.first_ms, 200);
  EXPECT_EQ(topology.retry.factor, 2);
  EXPECT_EQ(topology.retry.max_ms, 300'000);
  EXPECT_EQ(topology.retry.park_after, 0u);
  EXPECT_EQ(topology.lambdas.at(0).children_max, 2u);
  EXPECT_EQ(topology.lambdas.at(1).children_max, 1u) << "two writers of one state directory would race";
  EXPECT_EQ(topology.lambdas.at(0).timeout_ms, 300'000);
  EXPECT_EQ(topology.lambdas.at(0).timeout_max_ms, 3'600'000);
}

TEST(Config, NumbersOfTopologiesDoNotFollowTheAlphabet) {
  const Config config = good(R"(
[domain.z]
source = "s"
[domain.a]
source = "s"
[topology.y]
domain = "a"
lambda.l.plugin = "p"
[topology.b]
domain = "z"
lambda.l.plugin = "p"
)");

  EXPECT_EQ(config.domains[0].name, "z");
  EXPECT_EQ(config.topologies[0].name, "y");
  EXPECT_EQ(config.topologies[0].domain, 1u);
  EXPECT_EQ(config.topologies[1].domain, 0u);
}

TEST(Config, TakesAFactorWithoutAPointAndAnEmptyFile) {
  EXPECT_TRUE(good("").topologies.empty());
  EXPECT_TRUE(good("\xEF\xBB\xBF# with a byte order mark\n").domains.empty());
}

TEST(Config, SaysThatAWriteGrantBesideCapesOwnPlacesIsFine) {
  const Config config = good(R"(
plugins = ["plugins"]
[domain.d]
source = "s"
grant = { write = ["out", "/srv/out"], read = ["."], code = ["lib"] }
)");

  EXPECT_EQ(config.domains[0].grant.write, (std::vector<fs::path>{"/etc/cape/out", "/srv/out"}));
  EXPECT_EQ(config.domains[0].grant.read, (std::vector<fs::path>{"/etc/cape"}));
  EXPECT_EQ(config.domains[0].grant.code, (std::vector<fs::path>{"/etc/cape/lib"}));
}

TEST(Config, FindsTheTopologiesThatOneComesAfterWhereverTheyStand) {
  const Config config = good(R"(
[domain.d]
source = "s"
[topology.mail]
domain = "d"
after = ["index", "audit"]
lambda.l.plugin = "p"
[topology.audit]
domain = "d"
lambda.l.plugin = "p"
[topology.index]
domain = "d"
mode = "pipelined"
after = ["audit"]
lambda.l.plugin = "p"
)");

  ASSERT_EQ(config.topologies.size(), 3u);
  const auto after = [&](const char* name) {
    std::vector<std::string> names;
    for (const TopologyIndex earlier : config.topology(name)->after)
      names.push_back(config.topologies[earlier].name);
    return names;
  };
  EXPECT_EQ(after("mail"), (std::vector<std::string>{"index", "audit"}));
  EXPECT_EQ(after("index"), (std::vector<std::string>{"audit"}));
  EXPECT_TRUE(after("audit").empty());
  EXPECT_EQ(config.topology("index")->mode, Mode::pipelined);
}

TEST(Config, HostConnectsToTheBrokersSocketUnlessToldOtherwise) {
  const Config plain = good("");
  EXPECT_EQ(plain.listen.hosts, "ipc:///etc/cape/data/run/hosts.sock");
  EXPECT_EQ(plain.host.connect, plain.listen.hosts);
  EXPECT_EQ(plain.host.name, "");
  EXPECT_TRUE(plain.keys_dir.empty());

  const Config config = good("host = { name = \"left.1\", connect = \"ipc://b.sock\" }\n");
  EXPECT_EQ(config.host.name, "left.1");
  EXPECT_EQ(config.host.connect, "ipc:///etc/cape/b.sock");
}

TEST(Config, ReadsWhatBoundsTheFlow) {
  const Config plain =
      good("[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\nlambda.l.plugin = \"p\"\n");
  EXPECT_EQ(plain.host.jobs_max, 0u);
  EXPECT_EQ(plain.domains[0].queries_per_s, 0u);
  EXPECT_EQ(plain.topologies[0].weight, 1u);
  EXPECT_TRUE(plain.topologies[0].lambdas[0].breaker.enabled);
  EXPECT_EQ(plain.topologies[0].lambdas[0].breaker.subjects, 5u);
  EXPECT_EQ(plain.topologies[0].lambdas[0].breaker.probe_max_ms, 10'000);

  const Config config = good(R"(host = { jobs_max = 40 }
[domain.d]
source = "s"
queries_per_s = 300
[topology.t]
domain = "d"
weight = 7
[topology.t.lambda.l]
plugin = "p"
breaker = { enabled = false, subjects = 9, probe_max = "1m" }
)");
  EXPECT_EQ(config.host.jobs_max, 40u);
  EXPECT_EQ(config.domains[0].queries_per_s, 300u);
  EXPECT_EQ(config.topologies[0].weight, 7u);
  const BreakerPolicy& breaker = config.topologies[0].lambdas[0].breaker;
  EXPECT_FALSE(breaker.enabled);
  EXPECT_EQ(breaker.subjects, 9u);
  EXPECT_EQ(breaker.probe_max_ms, 60'000);
}

TEST(Config, KeysAllowEndpointsOfOtherMachines) {
  const Config config = good(R"(keys = { dir = "keys" }
listen = { hosts = "tcp://0.0.0.0:7071", ping = "tcp://[::]:7072" }
host = { connect = "tcp://broker.example:7071" }
)");

  EXPECT_EQ(config.keys_dir, "/etc/cape/keys");
  EXPECT_EQ(config.listen.hosts, "tcp://0.0.0.0:7071");
  EXPECT_EQ(config.host.connect, "tcp://broker.example:7071");
}

}  // namespace
}  // namespace cape
