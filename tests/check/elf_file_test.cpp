// The reader of headers takes any bytes.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "host/child/runner/elf_file.hpp"

namespace cape::child {
namespace {

std::vector<std::uint8_t> library() {
  std::ifstream file(CAPE_CHECK_PLUGINS "/good_lambda.so", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ElfFile, TellsWhatALibraryNeedsAndExports) {
  const Result<ElfFile> elf = read_elf(library());

  ASSERT_TRUE(elf);
  EXPECT_THAT(elf->needed, testing::Contains("libc.so.6"));
  EXPECT_THAT(elf->exported, testing::ElementsAre("cape_entry_v1"));
  EXPECT_THAT(elf->versions, testing::Contains(testing::StartsWith("GLIBC_")));
  EXPECT_TRUE(elf->relro);
}

TEST(ElfFile, SurvivesAnyBytes) {
  const std::vector<std::uint8_t> whole = library();
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);

  for (int round = 0; round < 3000; ++round) {
    std::vector<std::uint8_t> bytes = whole;
    for (int i = 0; i < 4; ++i)
      bytes[random() % std::min<std::size_t>(bytes.size(), i < 2 ? 1024 : bytes.size())] =
          static_cast<std::uint8_t>(random());
    if (round % 4 == 0) bytes.resize(random() % bytes.size());
    (void)read_elf(bytes);
  }
}

}  // namespace
}  // namespace cape::child
