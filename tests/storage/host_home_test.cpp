#include "storage/host_home.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/storage/support.hpp"

namespace cape::storage {
namespace {

using test::TempDir;

TEST(HostHome, StaysTheSameAcrossStarts) {
  TempDir dir;

  const auto first = host_home(dir.path());

  ASSERT_TRUE(first) << first.error().message;
  EXPECT_NE(*first, 0u);
  EXPECT_EQ(host_home(dir.path()).value(), *first);
}

TEST(HostHome, DiffersBetweenDirectories) {
  TempDir one, other;

  EXPECT_NE(host_home(one.path()).value(), host_home(other.path()).value());
}

TEST(HostHome, IsMadeAnewWhereWhatWasKeptCannotBeRead) {
  for (const char* kept : {"", "12", "0000000000000000\n", "not sixteen digits"}) {
    TempDir dir;
    std::ofstream(dir.path() / "host.id") << kept;

    const auto home = host_home(dir.path());

    ASSERT_TRUE(home) << "'" << kept << "': " << home.error().message;
    EXPECT_NE(*home, 0u) << kept;
    EXPECT_EQ(host_home(dir.path()).value(), *home) << kept;
  }
}

TEST(HostHome, SaysWhatIsWrongWhereItCannotBeKept) {
  TempDir dir;

  const auto home = host_home(dir.path() / "missing");

  ASSERT_FALSE(home);
  EXPECT_EQ(home.error().code, ErrorCode::io);
  EXPECT_NE(home.error().message.find("host.id"), std::string::npos) << home.error().message;
}

}  // namespace
}  // namespace cape::storage
