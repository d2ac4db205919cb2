// `cape doctor` believes no kernel: it tries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "tests/system/site.hpp"

namespace cape::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::ptrdiff_t attempts = 23;

class Doctor : public ::testing::Test {
 protected:
  json ask() {
    told_ = site_.cape({"doctor", "--json"});
    json all = json::parse(told_.out, nullptr, false);
    if (!all.is_object() || !all.contains("attempts")) throw std::runtime_error(told_.out + told_.err);
    return all;
  }
  static std::ptrdiff_t count(const json& all, const std::string& result) {
    return std::ranges::count_if(all["attempts"], [&](const json& row) { return row["result"] == result; });
  }

  Site site_;
  Finished told_;
};

TEST_F(Doctor, EveryAttemptFailsWhereAllWallsStand) {
  const json all = ask();
  if (all.value("level", "D") > "B")
    GTEST_SKIP() << "this machine has no level B: " << all.value("missing", "");

  EXPECT_EQ(told_.exit, 0) << told_.out << told_.err;
  EXPECT_EQ(count(all, "held"), attempts) << all["attempts"];
  EXPECT_THAT(all["layers"].get<std::string>(), HasSubstr("seccomp2"));
  EXPECT_THAT(site_.cape({"doctor"}).out, HasSubstr("sandbox level " + all["level"].get<std::string>()));
}

TEST_F(Doctor, WithoutNamespacesItNamesWhatIsNotHeldAndWhatIsMissing) {
  site_.configure(R"(sandbox = { require = "C" }
)");
  site_.on_kernel_without("userns");

  const json all = ask();

  // Threads of a user that others use are counted by a control group alone.
  const bool counted = all["layers"].get<std::string>().find("cgroup:") != std::string::npos;
  EXPECT_EQ(told_.exit, counted ? 0 : 1);
  EXPECT_EQ(all["level"], "C");
  EXPECT_EQ(all["required"], "C");
  EXPECT_EQ(count(all, "not held"), counted ? 0 : 1) << all["attempts"];
  EXPECT_THAT(all["missing"].get<std::string>(), HasSubstr("user.max_user_namespaces"));
  const std::string told = told_.err + told_.out;
  EXPECT_EQ(told.find("1 of 23 attempts") != std::string::npos, !counted) << told;
}

TEST_F(Doctor, BelowTheRequiredLevelItSaysThatNoPluginWouldRun) {
  site_.on_kernel_without("userns");

  EXPECT_THAT(site_.cape({"doctor"}).err, HasSubstr("level C here and B is required"));
}

TEST_F(Doctor, WithoutSeccompItSaysSoAndWhatTheOtherWallsHoldAndDoNot) {
  site_.configure(R"(sandbox = { require = "D" }
)");
  site_.on_kernel_without("seccomp");

  const json all = ask();

  EXPECT_EQ(told_.exit, 1) << "not every attempt fails without it";
  EXPECT_EQ(all["level"], "D");
  EXPECT_THAT(all["missing"].get<std::string>(), HasSubstr("seccomp: "));
  const auto result_of = [&](const std::string& id) {
    for (const json& row : all["attempts"])
      if (row["id"] == id) return row["result"].get<std::string>();
    return std::string("not tried");
  };
  for (const char* held : {"host_file", "write_outside", "host_processes", "capabilities", "memory"})
    EXPECT_EQ(result_of(held), "held") << held;
  for (const char* open : {"fork", "new_code"}) EXPECT_EQ(result_of(open), "not held") << open;
}

TEST_F(Doctor, WhereNoChildStartsNothingPassesForHeld) {
  site_.on_kernel_without("nnp");

  const json all = ask();

  EXPECT_EQ(told_.exit, 1);
  EXPECT_EQ(count(all, "unknown"), attempts) << all["attempts"];
  EXPECT_TRUE(all["level"].is_null());
}

}  // namespace
}  // namespace cape::test
