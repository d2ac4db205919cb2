// What a person is told about a file that is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/config_text.hpp"

namespace cape {
namespace {

using test::mistakes_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// A domain and the first lines of a lambda, so that a test shows only what is wrong.
std::string lambda_with(const std::string& keys) {
  return "[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\n[topology.t.lambda.l]\nplugin = \"p\"\n" +
         keys;
}
std::string topology_with(const std::string& keys) {
  return "[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\nlambda.l.plugin = \"p\"\n" + keys;
}

TEST(ConfigMistakes, AreAllToldAtOnceInTheOrderOfTheFile) {
  EXPECT_THAT(
      mistakes_of(R"(data_dir = 7
plugin = ["plugins"]
lease = "10"
payload_bytes_max = "17MiB"
sandbox = { require = "E" }
refresh = { enabled = 1, subjects_per_sec = 5 }

[domain.History]
source = "journal"

[domain.history]
sourc = "journal"

[topology.audit]
domain = "histroy"
mode = "sticrt"
start = 0
retry = { first = 200, factor = 0.5, max = "5x" }

[topology.audit.lambda.write]
plugin = "Audit-Log"
children_max = 0
timeout = "5"
grant = { read = "tree", stat = true }
limits = { memory = "1MiB", thread = 3 }
)"),
      ElementsAre(
          "1 data_dir: expected a path, found 7",  //
          "2 plugin: unknown key; did you mean \"plugins\"?",
          AllOf(StartsWith("3 lease: expected a duration"), HasSubstr("found \"10\"")),
          AllOf(StartsWith("4 payload_bytes_max: expected a size"), HasSubstr("from 1B to 16MiB")),
          StartsWith("5 sandbox.require: expected \"A\""),
          "6 refresh.enabled: expected true or false, found 1",
          "6 refresh.subjects_per_sec: unknown key; did you mean \"subjects_per_s\"?",
          StartsWith("8 domain.History: not a name"),
          "11 domain.history.source: missing; write for example: source = \"journal\"",
          "12 domain.history.sourc: unknown key; did you mean \"source\"?",
          "15 topology.audit.domain: no domain \"histroy\" in this file; did you mean \"history\"?",
          "16 topology.audit.mode: expected \"strict\", \"pipelined\" or \"latest\", found \"sticrt\"",
          StartsWith("17 topology.audit.start: expected \"beginning\""),
          AllOf(StartsWith("18 topology.audit.retry.first: expected a duration"), HasSubstr("found 200")),
          "18 topology.audit.retry.factor: expected a number from 1 to 100, found 0.5",
          AllOf(StartsWith("18 topology.audit.retry.max: expected a duration"), HasSubstr("found \"5x\"")),
          StartsWith("21 topology.audit.lambda.write.plugin: expected a name"),
          "22 topology.audit.lambda.write.children_max: expected an integer, from 1 to 256, found 0",
          StartsWith("23 topology.audit.lambda.write.timeout: expected a duration"),
          StartsWith("24 topology.audit.lambda.write.grant.read: expected an array of paths"),
          "24 topology.audit.lambda.write.grant.stat: unknown key; did you mean \"state\"?",
          StartsWith("25 topology.audit.lambda.write.limits.memory: expected a size"),
          "25 topology.audit.lambda.write.limits.thread: unknown key; did you mean \"threads\"?"));
}

TEST(ConfigMistakes, NamesTheLineOfBrokenToml) {
  EXPECT_THAT(mistakes_of("data_dir = \"data\"\nplugins = [\n"),
              ElementsAre(StartsWith("2 : not valid TOML")));
  EXPECT_THAT(mistakes_of("a = 1\n\nb = = 2\n"), ElementsAre(StartsWith("3 : not valid TOML")));
  EXPECT_THAT(mistakes_of("a = 1\n[)b]\n"), ElementsAre(StartsWith("2 : not valid TOML")));
  EXPECT_THAT(mistakes_of("a = 1\n\u0391"), ElementsAre(StartsWith("2 : not valid TOML")));
  EXPECT_THAT(mistakes_of("data_dir = \"a\"\ndata_dir = \"b\"\n"),
              ElementsAre(StartsWith("2 : not valid TOML")));
  EXPECT_THAT(mistakes_of("a = \"\xFF\"\n"), ElementsAre(HasSubstr("not valid TOML")));
}

TEST(ConfigMistakes, RefusesKeysNestedWithoutEnd) {
  std::string dots = "a";
  for (int i = 0; i < 300'000; ++i) dots += ".a";

  EXPECT_THAT(mistakes_of("x = 1\n" + dots + " = 1\n"), ElementsAre(HasSubstr("64 dots")));
  EXPECT_THAT(mistakes_of("[" + dots + "]\n"), ElementsAre(HasSubstr("64 dots")));
  EXPECT_THAT(mistakes_of("a = " + std::string(300'000, '[')), ElementsAre(HasSubstr("not valid TOML")));
}

TEST(ConfigMistakes, NamesEveryKnownKeyWhenNoneIsNear) {
  EXPECT_THAT(
      mistakes_of("[domain.d]\nsource = \"s\"\nwhatever = 1\n"),
      ElementsAre("3 domain.d.whatever: unknown key; known here: source, config, grant, limits, queries_per_s, "
                  "timeout, timeout_max"));
}

// Topologies of domain d, each with its key `after`, three lines each: the first key stands in line 5.
std::string topologies_with(const std::vector<std::pair<std::string, std::string>>& after) {
  std::string text = "[domain.d]\nsource = \"s\"\n";
  for (const auto& [name, key] : after)
    text += "[topology." + name + "]\ndomain = \"d\"\nafter = [" + key + "]\nlambda.l.plugin = \"p\"\n";
  return text;
}

// Lambdas of one topology, each with its key `needs`, two lines each: the first key stands in line 6.
std::string lambdas_with(const std::vector<std::pair<std::string, std::string>>& needs,
                         const std::string& keys = "mode = \"strict\"\n") {
  std::string text = "[domain.d]\nsource = \"s\"\n[topology.t]\ndomain = \"d\"\n" + keys;
  for (const auto& [name, key] : needs)
    text += "lambda." + name + ".needs = [" + key + "]\nlambda." + name + ".plugin = \"p\"\n";
  return text;
}

TEST(ConfigMistakes, RefusesToNeedALambdaThatIsNotThere) {
  EXPECT_THAT(
      mistakes_of(lambdas_with({{"thumbnail", ""}, {"index", "\"thumbnial\""}})),
      ElementsAre("8 topology.t.lambda.index.needs: no lambda \"thumbnial\" in this topology; did you "
                  "mean \"thumbnail\"?"));
  EXPECT_THAT(
      mistakes_of(lambdas_with({{"index", "\"something\""}})),
      ElementsAre("6 topology.t.lambda.index.needs: no lambda \"something\" in this topology; name one "
                  "that is, or take it away"));
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}, {"b", "\"a\", \"a\""}})),
              ElementsAre("8 topology.t.lambda.b.needs: names \"a\" twice; once is enough"));
}

TEST(ConfigMistakes, RefusesLambdasThatNeedEachOther) {
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", "\"a\""}})),
              ElementsAre("6 topology.t.lambda.a.needs: a lambda cannot need itself; take its name away"));
  // x needs the circle without being in it.
  EXPECT_THAT(mistakes_of(lambdas_with({{"x", "\"a\""}, {"a", "\"b\""}, {"b", "\"a\""}})),
              ElementsAre(AllOf(HasSubstr("needs: goes round in a circle"), HasSubstr("a needs b"),
                                HasSubstr("b needs a"))));
}

TEST(ConfigMistakes, RefusesNeedsInModeLatest) {
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}, {"b", "\"a\""}}, "mode = \"latest\"\n")),
              ElementsAre(AllOf(StartsWith("8 topology.t.lambda.b.needs: not in a topology of mode"),
                                HasSubstr("use \"strict\" or \"pipelined\""))));
}

TEST(ConfigMistakes, RefusesToRunLateEventsWhereTheyCannotRunOnTheirOwn) {
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}}, "late = \"never\"\n")),
              ElementsAre("5 topology.t.late: expected \"report\" or \"run\", found \"never\""));
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}}, "late = \"run\"\nmode = \"latest\"\n")),
              ElementsAre(HasSubstr("never runs in mode \"latest\"; take the key away")));
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}}, "late = \"run\"\nstart = \"latest\"\n")),
              ElementsAre(HasSubstr("so not with start = \"latest\"")));
  EXPECT_THAT(mistakes_of(lambdas_with({{"a", ""}, {"b", "\"a\""}}, "late = \"run\"\n")),
              ElementsAre(HasSubstr("not where lambdas need others; write late = \"report\"")));
}

TEST(ConfigMistakes, RefusesInputsThatNoMessageCarries) {
  std::string text = lambdas_with({{"a", ""}, {"b", ""}, {"c", ""}, {"d", "\"a\", \"b\", \"c\""}});
  for (const char* name : {"a", "b", "c"})
    text += std::string("lambda.") + name + ".limits.output = \"16MiB\"\n";

  EXPECT_THAT(mistakes_of(text), ElementsAre(AllOf(StartsWith("12 topology.t.lambda.d.needs: "),
                                                   HasSubstr("48MiB; 32MiB are allowed"))));
}

TEST(ConfigMistakes, RefusesLabelsThatAreNone) {
  EXPECT_THAT(mistakes_of(lambda_with("where = { Zone = \"eu\", rack = 7, room = \"\" }\n")),
              UnorderedElementsAre(HasSubstr("where.Zone: not a name"),
                                   HasSubstr("where.rack: expected a string, found an integer"),
                                   HasSubstr("where.room: expected 1 to 255 bytes, found 0")));
  EXPECT_THAT(mistakes_of("[host]\nlabels = [\"eu\"]\n"),
              ElementsAre(HasSubstr("host.labels: expected a table")));
}

TEST(ConfigMistakes, RefusesToComeAfterATopologyThatIsNotThere) {
  EXPECT_THAT(
      mistakes_of(topologies_with({{"audit", ""}, {"mail", "\"audti\""}})),
      ElementsAre("9 topology.mail.after: no topology \"audti\" in this file; did you mean \"audit\"?"));
  EXPECT_THAT(
      mistakes_of(topologies_with({{"mail", "\"something\""}})),
      ElementsAre("5 topology.mail.after: no topology \"something\" in this file; name one that is, or "
                  "take it away"));
  EXPECT_THAT(mistakes_of(topologies_with({{"audit", ""}, {"mail", "\"audit\", \"audit\""}})),
              ElementsAre("9 topology.mail.after: names \"audit\" twice; once is enough"));
  EXPECT_THAT(mistakes_of(topologies_with({{"audit", "7"}})),
              ElementsAre(StartsWith("5 topology.audit.after")));
}

TEST(ConfigMistakes, RefusesToComeAfterATopologyOfAnotherDomain) {
  EXPECT_THAT(
      mistakes_of(topologies_with({{"mail", "\"far\""}}) +
                  "[domain.e]\nsource = \"s\"\n[topology.far]\ndomain = \"e\"\nlambda.l.plugin = \"p\"\n"),
      ElementsAre("5 topology.mail.after: \"far\" is of domain \"e\", and this topology of \"d\"; only "
                  "topologies of one domain can wait for each other"));
}

TEST(ConfigMistakes, RefusesTopologiesThatWaitForEachOther) {
  EXPECT_THAT(mistakes_of(topologies_with({{"a", "\"a\""}})),
              ElementsAre(AllOf(StartsWith("5 topology.a.after: "), HasSubstr("cannot come after itself"))));
  EXPECT_THAT(
      mistakes_of(topologies_with({{"a", "\"b\""}, {"b", "\"a\""}})),
      ElementsAre(
          "5 topology.a.after: goes round in a circle, so that none of them could ever run: a after b "
          "after a; take one of these names away"));
  // x waits for a circle without being in it, y for nothing that is.
  EXPECT_THAT(
      mistakes_of(topologies_with(
          {{"x", "\"c\""}, {"a", "\"b\""}, {"b", "\"y\", \"c\""}, {"c", "\"a\""}, {"y", ""}})),
      ElementsAre(AllOf(StartsWith("17 topology.c.after: "), HasSubstr(": c after a after b after c;"))));
  EXPECT_THAT(
      mistakes_of(topologies_with({{"a", "\"b\""}, {"b", "\"a\""}, {"c", "\"d\", \"a\""}, {"d", "\"c\""}}))
          .size(),
      2u);
}

TEST(ConfigMistakes, NamesATopologyWithoutADomainOrWithoutLambdas) {
  EXPECT_THAT(mistakes_of("[topology.t]\n"), ElementsAre(StartsWith("1 topology.t.domain: missing"),
                                                         StartsWith("1 topology.t.lambda: missing")));
  EXPECT_THAT(mistakes_of("[topology.t]\ndomain = \"far\"\nlambda.l.plugin = \"p\"\n"),
              ElementsAre(HasSubstr("add a table [domain.far]")));
  EXPECT_THAT(mistakes_of(topology_with("").append("[topology.u]\ndomain = \"d\"\n[topology.u.lambda]\n")),
              ElementsAre(StartsWith("8 topology.u.lambda: missing")));
}

TEST(ConfigMistakes, RefusesBatchesThatHoldNothingOrTooMuch) {
  EXPECT_THAT(
      mistakes_of(topology_with("batch_events = 0\nbatch_bytes = 0\n")),
      ElementsAre("6 topology.t.batch_events: expected an integer, from 1 to 4096, found 0",
                  AllOf(StartsWith("7 topology.t.batch_bytes: expected a size"), HasSubstr("found 0"))));
  EXPECT_THAT(mistakes_of(topology_with("batch_events = 4097\nbatch_bytes = \"17MiB\"\n")),
              ElementsAre(HasSubstr("found 4097"), HasSubstr("to 16MiB")));
}

TEST(ConfigMistakes, RefusesTwoChildrenThatWriteTheSameFiles) {
  EXPECT_THAT(
      mistakes_of(lambda_with("grant = { state = true }\nchildren_max = 2\n")),
      ElementsAre(AllOf(StartsWith("8 topology.t.lambda.l.children_max"), HasSubstr("one child at a time"))));
  EXPECT_THAT(mistakes_of(lambda_with("grant = { write = [\"/srv/x\"] }\nchildren_max = 4\n")),
              ElementsAre(HasSubstr("one child at a time")));
  EXPECT_THAT(mistakes_of(lambda_with("grant = { read = [\"/srv/x\"] }\nchildren_max = 4\n")), IsEmpty());
}

TEST(ConfigMistakes, RefusesWriteGrantsOverWhatKeepsThePluginIn) {
  const auto grant = [](const std::string& path) {
    return mistakes_of("plugins = [\"code\"]\n[domain.d]\nsource = \"s\"\ngrant = { write = [\"" + path +
                       "\"] }\n");
  };

  EXPECT_THAT(grant("data"), ElementsAre(HasSubstr("data_dir")));
  EXPECT_THAT(grant("out/../data/state"), ElementsAre(HasSubstr("data_dir")));
  EXPECT_THAT(grant(".."), ElementsAre(HasSubstr("data_dir")));
  EXPECT_THAT(grant("code/deep"), ElementsAre(HasSubstr("plugin directory")));
  EXPECT_THAT(mistakes_of("data_dir = \"/srv/d\"\n[domain.d]\nsource = \"s\"\ngrant = { write = [\".\"] }\n"),
              ElementsAre(HasSubstr("holds this config file")));
  EXPECT_THAT(grant("database"), IsEmpty()) << "data_dir is a directory, not a prefix of letters";
}

TEST(ConfigMistakes, RefusesWhatIsNoKeyAndARequirementThatNothingCanMeet) {
  const std::string hex(64, 'a');
  const auto keys = [](const std::string& list) { return mistakes_of("trusted_keys = [" + list + "]\n"); };

  EXPECT_THAT(keys("\"release:" + hex + "\""), IsEmpty());
  EXPECT_THAT(keys("\"release\""), ElementsAre(AllOf(HasSubstr("trusted_keys"), HasSubstr("NAME:PUBLIC"))));
  EXPECT_THAT(keys("\"release:" + hex.substr(1) + "\""), ElementsAre(HasSubstr("NAME:PUBLIC")));
  EXPECT_THAT(keys("\"release:" + std::string(64, 'A') + "\""), ElementsAre(HasSubstr("NAME:PUBLIC")));
  EXPECT_THAT(keys("\"secret:release:" + hex + "\""), ElementsAre(HasSubstr("a secret key stands here")));
  EXPECT_THAT(keys("\"a:" + hex + "\", \"a:" + hex + "\""), ElementsAre(HasSubstr("two keys are called a")));
  EXPECT_THAT(mistakes_of("require_signature = true\n"),
              ElementsAre(AllOf(HasSubstr("require_signature"), HasSubstr("name a key in trusted_keys"))));
}

TEST(ConfigMistakes, RefusesACanaryWhereSignaturesAreRequired) {
  const std::string signing = "trusted_keys = [\"a:" + std::string(64, 'a') + "\"]\n";
  const std::string canary = lambda_with("canary = { share = \"5%\" }\n");

  EXPECT_THAT(mistakes_of("require_signature = true\n" + signing + canary),
              ElementsAre(AllOf(StartsWith("1 require_signature"), HasSubstr("lambda 'l' of topology 't'"),
                                HasSubstr("take out the one or the other"))));
  EXPECT_THAT(mistakes_of(signing + canary), IsEmpty());
}

TEST(ConfigMistakes, RefusesCodeThatALambdaCouldHaveWritten) {
  const auto grant = [](const std::string& code) {
    return mistakes_of(lambda_with("grant = { write = [\"/srv/out\"], code = [\"" + code + "\"] }\n"));
  };

  EXPECT_THAT(grant("/srv/out"),
              ElementsAre(AllOf(HasSubstr("grant.code"), HasSubstr("granted for writing"))));
  EXPECT_THAT(grant("/srv/out/lib"), ElementsAre(HasSubstr("granted for writing")));
  EXPECT_THAT(grant("/srv"), ElementsAre(HasSubstr("granted for writing")));
  EXPECT_THAT(grant("data/state"), ElementsAre(HasSubstr("data_dir")));
  EXPECT_THAT(grant("/usr/lib"), IsEmpty());
}

TEST(ConfigMistakes, RefusesGrantsOfWhatNoPluginGets) {
  for (const std::string key : {"read", "write", "code"})
    for (const std::string path :
         {"/", "/srv/..", "/proc", "/proc/self", "/sys/fs", "/dev", "/dev/pts", "/dev/shm"})
      EXPECT_THAT(mistakes_of(lambda_with("grant = { " + key + " = [\"" + path + "\"] }\n")),
                  ElementsAre(AllOf(StartsWith("7 topology.t.lambda.l.grant." + key + ": \""),
                                    HasSubstr("; grant "))))
          << path;
  EXPECT_THAT(mistakes_of(lambda_with("grant = { read = [\"/dev/shm/a\", \"/device\", \"/process\"] }\n")),
              IsEmpty());
}

TEST(ConfigMistakes, RefusesATopologyWhoseStateWouldLieInADomains) {
  EXPECT_THAT(
      mistakes_of("[domain.d]\nsource = \"s\"\n[topology.domain]\ndomain = \"d\"\nlambda.l.plugin = \"p\"\n"),
      ElementsAre(AllOf(StartsWith("3 topology.domain"), HasSubstr("choose another name"))));
}

TEST(ConfigMistakes, ComparesTimesThatBelongTogether) {
  EXPECT_THAT(
      mistakes_of(lambda_with("timeout = \"2h\"\n")),
      ElementsAre("7 topology.t.lambda.l.timeout: timeout (2h) is longer than timeout_max (1h); raise "
                  "timeout_max"));
  EXPECT_THAT(mistakes_of("[domain.d]\nsource = \"s\"\ntimeout_max = \"1s\"\n"),
              ElementsAre("3 domain.d.timeout_max: timeout (1m) is longer than timeout_max (1s); raise "
                          "timeout_max"));
  EXPECT_THAT(mistakes_of(topology_with("retry = { first = \"1h\" }\n")),
              ElementsAre("6 topology.t.retry.first: first (1h) is longer than max (5m)"));
}

TEST(ConfigMistakes, RefusesWhatJsonCannotSay) {
  EXPECT_THAT(mistakes_of(lambda_with("[topology.t.lambda.l.config]\na = 1\nb = [1.0, inf]\n")),
              ElementsAre(AllOf(StartsWith("9 topology.t.lambda.l.config"), HasSubstr("inf and nan"))));
  EXPECT_THAT(mistakes_of(lambda_with("config = { text = \"" + std::string(70'000, 'x') + "\" }\n")),
              ElementsAre(AllOf(StartsWith("7 "), HasSubstr("at most 65536"))));
  EXPECT_THAT(mistakes_of(lambda_with("config = \"{}\"\n")),
              ElementsAre(HasSubstr("expected a table, found a string")));
}

TEST(ConfigMistakes, ToldWithoutControlCharactersOfTheFile) {
  EXPECT_THAT(mistakes_of("\"\\u001b[2J\" = 1\n"), ElementsAre(StartsWith("1 \\x1B[2J: unknown key")));
  EXPECT_THAT(mistakes_of("data_dir = \"a\\u0000b\"\n"),
              ElementsAre("1 data_dir: expected a path, found \"a\\x00b\""));
}

TEST(ConfigMistakes, BecomeOneLineEachWithFileAndLine) {
  const std::vector<ConfigMistake> mistakes{{12, "topology.t.mode", "expected x"},
                                            {0, "", "cannot be opened"}};

  EXPECT_EQ(to_text(mistakes, "/etc/cape.toml"),
            "/etc/cape.toml:12: topology.t.mode: expected x\n/etc/cape.toml: cannot be opened\n");
}

TEST(ConfigMistakes, EndpointOfAnotherMachineNeedsKeysAndSaysHowToGetThem) {
  EXPECT_THAT(mistakes_of("host = { connect = \"tcp://10.0.0.5:7071\" }\n"),
              ElementsAre(AllOf(StartsWith("1 host.connect"), HasSubstr("cape keys new"))));
}

TEST(ConfigMistakes, NameOfAHostIsPlain) {
  EXPECT_THAT(mistakes_of("host = { name = \"a b\" }\n"), ElementsAre(StartsWith("1 host.name")));
}

TEST(ConfigMistakes, NoPluginMayReachTheKeys) {
  EXPECT_THAT(mistakes_of(R"(keys = { dir = "keys" }
[domain.d]
source = "files"
grant = { read = ["/etc"] }
)"),
              ElementsAre(AllOf(StartsWith("4 domain.d.grant.read"), HasSubstr("keys.dir"))));
}

}  // namespace
}  // namespace cape
