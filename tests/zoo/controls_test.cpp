// What must work: a sandbox that breaks honest plugins is switched off by their operators.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

class ZooControl : public LambdaChildTest, public testing::WithParamInterface<const char*> {};

TEST_P(ZooControl, WorksUnderTheFullSandbox) {
  const ChildJobDone done = run("controls", GetParam());

  EXPECT_EQ(done.status.end.kind, OutcomeKind::ok) << done.status.end.reason;
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooControl,
                         testing::Values("threads", "exceptions", "regex", "formatting", "memory",
                                         "randomness", "clocks", "sorting", "thread_local"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_F(LambdaChildTest, ZooPlainCWorksUnderTheFullSandbox) {
  EXPECT_EQ(run("acts", "size:x").status.end.kind, OutcomeKind::ok);
}

}  // namespace
}  // namespace cape::child
