// The parts of intake that need no directory: what a library looks like, which version is higher, what a
// manifest may say.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
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

// A plugin as the linker makes it, half written at every length that it can have.
TEST(ElfCheck, RefusesARealPluginCutOffAtAnyLength) {
  const UniqueFd plugin{::open(CAPE_TEST_PLUGINS "/record.so", O_RDONLY | O_CLOEXEC)};
  struct stat status {};
  ASSERT_EQ(::fstat(plugin.get(), &status), 0);
  UniqueFd memfd{::memfd_create("elf", MFD_CLOEXEC)};
  ASSERT_EQ(::sendfile(memfd.get(), plugin.get(), nullptr, static_cast<std::size_t>(status.st_size)),
            status.st_size);
  ASSERT_EQ(elf_mistake(memfd.get(), static_cast<std::uint64_t>(status.st_size)), "");

  for (off_t length = status.st_size - 1; length >= 0; --length) {
    ASSERT_EQ(::ftruncate(memfd.get(), length), 0);
    ASSERT_NE(elf_mistake(memfd.get(), static_cast<std::uint64_t>(length)), "")
        << "cut after " << length << " bytes";
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

// The rule, key by key: what comes first in it wins over all that follows.
std::string first_of(std::vector<ShelfItem> items) {
  const std::vector<PluginImagePtr> serving = serving_of(std::move(items));
  return serving.size() == 1 ? serving[0]->hash : "serving: " + std::to_string(serving.size());
}

ShelfItem item(const std::string& hash, const std::string& version, const std::string& file,
               Standing standing) {
  auto made = std::make_shared<PluginImage>();
  made->id = "a";
  made->hash = hash;
  made->version = version;
  made->file = file;
  return {made, standing};
}

TEST(Standing, OfTwoFilesWithOneIdIsAlwaysDecidedTheSameWay) {
  const Standing at_start{.watched = true, .round = 0, .modified_ns = 5};
  const Standing newer_file{.watched = true, .round = 0, .modified_ns = 6};
  const Standing dropped{.watched = true, .round = 1, .modified_ns = 1};
  const Standing dropped_later{.watched = true, .round = 2, .modified_ns = 1};
  const Standing built_in{.watched = false, .round = 9, .modified_ns = 9};
  const struct {
    const char* why;
    ShelfItem wins, loses;
  } pairs[] = {
      {"a watched file over a built-in one", item("w", "1", "a", at_start), item("l", "9", "z", built_in)},
      {"the last to become stable", item("w", "1", "a", dropped_later), item("l", "9", "z", dropped)},
      {"dropped over there at start", item("w", "1", "a", dropped), item("l", "9", "z", newer_file)},
      {"the highest version at start", item("w", "1.10", "a", at_start), item("l", "1.9", "z", newer_file)},
      {"then the newest", item("w", "1", "a", newer_file), item("l", "1", "z", at_start)},
      {"then the last by name", item("w", "1", "z", at_start), item("l", "1", "a", at_start)},
  };
  for (const auto& pair : pairs) {
    EXPECT_EQ(first_of({pair.wins, pair.loses}), "w") << pair.why;
    EXPECT_EQ(first_of({pair.loses, pair.wins}), "w") << pair.why << ", found the other way round";
  }
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
