// Many domains and topologies in one broker and one host.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

constexpr int domains = 30, topologies = 70, subjects = 20, events_each = 5;

std::string domain_of(int topology) {
  return fmt::format("d{}", topology % domains);
}

std::string config() {
  std::string text;
  for (int d = 0; d < domains; ++d) text += fmt::format("[domain.d{}]\nsource = \"journal\"\n", d);
  for (int t = 0; t < topologies; ++t) {
    text += fmt::format("[topology.t{}]\ndomain = \"{}\"\n", t, domain_of(t));
    if (t >= domains) text += fmt::format("after = [\"t{}\"]\n", t - domains);
    text += "lambda.write = { plugin = \"audit_log\", grant = { state = true } }\n";
  }
  return text;
}

// As many as Dropbox told of. Each topology has a child of its own, each domain one for its source.
TEST(Many, ThirtyDomainsAndSeventyTopologiesRunToTheirEnd) {
  Site site;
  site.configure(config());
  std::string lines;
  for (int s = 0; s < subjects; ++s)
    for (int n = 1; n <= events_each; ++n)
      lines += fmt::format("{{\"subject\":\"s{}\",\"sequence\":{},\"payload\":\"p\"}}\n", s, n);
  for (int d = 0; d < domains; ++d)
    ASSERT_EQ(site.cape({"append", fmt::format("d{}", d), "--jsonl", "-", "--no-ping"}, lines).exit, 0);

  ASSERT_TRUE(site.up({"--until-idle", "--timeout", "120s"})) << site.up_log();
  EXPECT_EQ(site.wait_up(std::chrono::seconds(130)), 0) << site.up_log();

  for (int t = 0; t < topologies; ++t) {
    std::map<std::string, std::vector<std::int64_t>> ran;
    for (const Recorded& r : audited(site.data() / "state" / fmt::format("t{}", t) / "write"))
      ran[r.subject].push_back(r.sequence);
    ASSERT_EQ(ran.size(), static_cast<std::size_t>(subjects)) << t;
    for (const auto& [subject, sequences] : ran)
      EXPECT_EQ(sequences, (std::vector<std::int64_t>{1, 2, 3, 4, 5})) << t << " " << subject;
  }
}

}  // namespace
}  // namespace cape::test
