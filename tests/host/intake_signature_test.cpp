// What intake makes of signatures: of the files it watches, by the bytes it copied.
#include "tests/host/intake_fixture.hpp"

namespace cape::child {
namespace {

using test::fake_plugin;
using test::write_file;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SignedIntake : public test::IntakeTest {
 protected:
  SignedIntake() {
    EXPECT_TRUE(make_signing_keys(keys.path(), "release"));
    EXPECT_TRUE(make_signing_keys(keys.path(), "other"));
    require(true);
  }
  void require(bool required) { signatures = {required, {key_of("release")}}; }
  TrustedKey key_of(const std::string& name) {
    const std::string text = read_public_key(keys / (name + ".public")).value();
    return {name, text.substr(name.size() + 1)};
  }
  void drop_signed(const std::string& name, const std::string& bytes, const std::string& key = "release") {
    write_file(watched / name, bytes);
    sign(name, key);
  }
  void sign(const std::string& name, const std::string& key = "release") {
    EXPECT_TRUE(sign_plugin(watched / name, keys / (key + ".secret")));
  }
  std::string signer_of_served() const {
    return intake->serving().size() == 1 ? intake->serving()[0]->signed_by : "serving is not one";
  }

  test::TempDir keys;
};

TEST_F(SignedIntake, TakesInWhatATrustedKeySigned) {
  drop_signed("a.so", fake_plugin("a", "1.0"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(signer_of_served(), "release");
}

TEST_F(SignedIntake, SetsAsideWhatIsNotSignedBeforeAnythingReadsIt) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));

  open_later();

  EXPECT_THAT(served(), IsEmpty());
  EXPECT_EQ(inspections.started_in_all(), 0);
  EXPECT_THAT(only_reason(), AllOf(HasSubstr("there is no a.so.sig"), HasSubstr("require_signature is on"),
                                   HasSubstr("cape plugin sign a.so")));
  EXPECT_TRUE(intake->settled());
}

TEST_F(SignedIntake, TakesItInOnceItsSignatureIsThere) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();

  sign("a.so");

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_THAT(intake->set_aside(), IsEmpty());
}

TEST_F(SignedIntake, SignatureMayComeFirst) {
  open_later();
  drop_signed("a.so", fake_plugin("a", "1.0"));
  fs::rename(watched / "a.so", watched / "a.tmp");
  run_until_still();

  fs::rename(watched / "a.tmp", watched / "a.so");

  EXPECT_TRUE(run_until_still());
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
}

TEST_F(SignedIntake, RefusesAForeignKeyByName) {
  drop_signed("a.so", fake_plugin("a", "1.0"), "other");

  open_later();

  EXPECT_THAT(served(), IsEmpty());
  EXPECT_THAT(only_reason(), AllOf(HasSubstr("signed by key 'other'"), HasSubstr("trusted_keys")));
}

TEST_F(SignedIntake, RefusesTheSignatureOfAnotherFile) {
  drop_signed("a.so", fake_plugin("a", "1.0"));
  write_file(watched / "b.so", fake_plugin("b", "1.0"));
  fs::copy_file(watched / "a.so.sig", watched / "b.so.sig");

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_THAT(only_reason(), HasSubstr("not of these bytes"));
}

TEST_F(SignedIntake, RefusesOneChangedByteAndKeepsTheGoodOneServing) {
  drop_signed("a.so", fake_plugin("a", "1.0"));
  open_later();

  write_file(watched / "a.so", fake_plugin("a", "1.1"));
  run_until_still();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_THAT(only_reason(), HasSubstr("not of these bytes"));

  sign("a.so");
  run_until_still();
  EXPECT_THAT(served(), ElementsAre("a 1.1"));
}

// What one file is refused for, another one of the same bytes is not.
TEST_F(SignedIntake, JudgesEachFileOfTheSameBytesByItsOwnSignature) {
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  drop_signed("b.so", fake_plugin("a", "1.0"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(signer_of_served(), "release");
  EXPECT_THAT(only_reason(), HasSubstr("a.so.sig"));
}

TEST_F(SignedIntake, BuiltInPluginsNeedNone) {
  write_file(builtin / "journal.so", fake_plugin("journal", "1.0"));

  open_later();

  EXPECT_THAT(served(), ElementsAre("journal 1.0"));
}

TEST_F(SignedIntake, WithoutTheRequirementItOnlyTellsWhoSigned) {
  require(false);
  write_file(watched / "a.so", fake_plugin("a", "1.0"));
  open_later();
  ASSERT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(signer_of_served(), "");

  sign("a.so");
  EXPECT_TRUE(run_until_still());
  EXPECT_EQ(signer_of_served(), "release");
  EXPECT_EQ(inspections.started_in_all(), 1) << "the bytes are known";

  sign("a.so", "other");
  run_until_still();
  EXPECT_THAT(served(), ElementsAre("a 1.0"));
  EXPECT_EQ(signer_of_served(), "");
}

}  // namespace
}  // namespace cape::child
