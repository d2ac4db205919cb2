// Libraries that are no plugins, or no whole ones: refused before they serve, with what is wrong.
#include "tests/child/lambda_child_fixture.hpp"

namespace cape::child {
namespace {

struct Mistake {
  const char* plugin;
  const char* reason;
};
class ZooTables : public LambdaChildTest, public testing::WithParamInterface<Mistake> {};

TEST_P(ZooTables, AreRefusedWithWhatIsWrong) {
  start(spec_of(GetParam().plugin, ChildKind::inspect));

  const Reports reports = poll_until<LambdaReport>(*child_, at_least<ChildEnded, LambdaReport>(1));

  EXPECT_TRUE(pick<ChildReady>(reports).empty());
  const auto ended = pick<ChildEnded>(reports);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended[0].end.reason, AllOf(HasSubstr("in phase load"), HasSubstr(GetParam().reason)));
}
INSTANTIATE_TEST_SUITE_P(Zoo, ZooTables,
                         testing::Values(Mistake{"no_note", "it has no manifest"},
                                         Mistake{"wrong_abi", "needs ABI"},
                                         Mistake{"abi_newer", "needs ABI 1.99"},
                                         Mistake{"no_entry", "cape_entry_v1"},
                                         Mistake{"no_process", "lacks create, process or destroy"},
                                         Mistake{"entry_empty", "cape_entry_v1 has struct_size 0"},
                                         Mistake{"lambda_huge", "cape_lambda has struct_size 4294967295"},
                                         Mistake{"lambda_empty", "cape_lambda has struct_size 0"},
                                         Mistake{"no_factory", "get_factory has none"},
                                         Mistake{"prefix_factory", "compare the whole id"},
                                         Mistake{"garbage_factory", "SIGSEGV at address 0x10"}),
                         [](const auto& tested) { return std::string(tested.param.plugin); });

}  // namespace
}  // namespace cape::child
