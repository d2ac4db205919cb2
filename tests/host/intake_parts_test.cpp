// The parts of intake that need no directory: what a library looks like, which version is higher, what a
// manifest may say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>

#include "core/unique_fd.hpp"
#include "host/child/elf_check.hpp"
#include "host/child/inspector.hpp"
#include "host/child/standing.hpp"
#include "tests/host/fake_plugin.hpp"

namespace cape::child {
namespace {

using ::testing::HasSubstr;

std::string mistake_of(std::string_view bytes) {
  UniqueFd memfd{::memfd_create("elf", MFD_CLOEXEC)};
  if (::write(memfd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    return "no memory";
  return elf_mistake(memfd.get(), bytes.size());
}

TEST(ElfCheck, TakesAWholeLibrary) {
  EXPECT_EQ(mistake_of(test::fake_plugin("a", "1.0")), "");
}

TEST(ElfCheck, RefusesALibraryCutOffAtAnyLength) {
  const std::string whole = test::fake_plugin("a", "1.0", std::string(300, 'x'));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(mistake_of(whole.substr(0, length)), "") << "cut after " << length << " bytes";
  }
}

TEST(ElfCheck, SurvivesAnyBytesInItsHeaders) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes = test::fake_plugin("a", "1.0");
    for (int flips = 0; flips < 8; ++flips) {
      bytes[EI_NIDENT + random() % (bytes.size() - EI_NIDENT)] = static_cast<char>(random());
    }
    mistake_of(bytes);  // any answer will do; the sanitizers watch
  }
}

TEST(Versions, CompareRunsOfDigitsAsNumbers) {
  EXPECT_GT(compare_versions("1.10", "1.9"), 0);
  EXPECT_GT(compare_versions("2.0", "1.99.99"), 0);
  EXPECT_LT(compare_versions("1.0", "1.0.1"), 0);
  EXPECT_LT(compare_versions("1.0-alpha", "1.0-beta"), 0);
  EXPECT_EQ(compare_versions("1.007", "1.7"), 0);
  EXPECT_GT(compare_versions("99999999999999999999", "9"), 0);
}

ManifestReport good_manifest() {
  return {.id = "audit_log", .version = "1.0.0", .kinds = 1, .abi_major = 1};
}

TEST(Manifest, TakesAGoodOne) {
  EXPECT_EQ(manifest_mistake(good_manifest()), "");
}

TEST(Manifest, RefusesAnIdThatIsNoName) {
  for (const char* id : {"", "Audit", "audit-log", "../x", "1a"}) {
    ManifestReport manifest = good_manifest();
    manifest.id = id;
    EXPECT_THAT(manifest_mistake(manifest), HasSubstr("is not a name")) << id;
  }
}

TEST(Manifest, NamesBothVersionsOfTheAbiWhenTheyDiffer) {
  ManifestReport manifest = good_manifest();
  manifest.abi_min_minor = 4;
  EXPECT_THAT(manifest_mistake(manifest),
              HasSubstr("plugin 'audit_log' 1.0.0 needs ABI 1.4, this host offers 1.0"));
  manifest.abi_major = 2;
  EXPECT_THAT(manifest_mistake(manifest), HasSubstr("needs ABI 2.4, this host offers 1.0"));
}

TEST(Manifest, RefusesKindsItDoesNotKnow) {
  ManifestReport manifest = good_manifest();
  manifest.kinds = 0;
  EXPECT_THAT(manifest_mistake(manifest), HasSubstr("kinds"));
  manifest.kinds = 5;
  EXPECT_THAT(manifest_mistake(manifest), HasSubstr("kinds"));
}

TEST(Manifest, RefusesAVersionThatIsNotPrintable) {
  ManifestReport manifest = good_manifest();
  manifest.version = "1.0\x1b[2J";
  EXPECT_THAT(manifest_mistake(manifest), HasSubstr("printable"));
}

}  // namespace
}  // namespace cape::child
