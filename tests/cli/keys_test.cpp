// `cape keys new`, and what commands say that lack a key.
#include <gmock/gmock.h>

#include "tests/cli/cape_process.hpp"

namespace cape::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(CapeKeys, NewMakesThemOnceAndSaysWhatIsNext) {
  const CapeProcess cape;

  const Ran made = cape.run({"keys", "new", "--dir", "k"});
  const Ran again = cape.run({"keys", "new", "--dir", "k"});

  EXPECT_EQ(made.exit, 0) << made.err;
  EXPECT_THAT(made.out, AllOf(HasSubstr("next:"), HasSubstr("broker.public")));
  EXPECT_EQ(fs::status(cape.directory() / "k" / "admin.secret").permissions(), fs::perms(0600));
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("not overwritten"));
}

TEST(CapeKeys, CommandWithoutItsKeySaysWhichFileIsMissing) {
  const CapeProcess cape;
  cape.write("cape.toml", "keys = { dir = \"k\" }\nlisten = { admin = \"tcp://127.0.0.1:1\" }\n");

  const Ran ran = cape.run({"status"});

  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("k/broker.public"), HasSubstr("cape keys new")));
}

TEST(CapeHost, ConnectingToEveryAddressIsRefusedWithTheNextStep) {
  const CapeProcess cape;
  cape.write("cape.toml", "keys = { dir = \"k\" }\nlisten = { hosts = \"tcp://0.0.0.0:7071\" }\n");

  const Ran ran = cape.run({"host"});

  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("--connect"));
}

}  // namespace
}  // namespace cape::cli
