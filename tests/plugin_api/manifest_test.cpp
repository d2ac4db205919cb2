// The manifest can be read from the file, without running any of it, whatever compiler flags built it.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>

#include "tests/fakes/loaded_plugin.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::test {
namespace {

template <class T>
T at(const std::string& file, std::size_t offset) {
  T value{};
  if (offset + sizeof value > file.size()) throw std::runtime_error("the file is too short");
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// The CAPE note as a program header reader finds it: sections may be stripped.
std::optional<cape_note> note_of(const std::string& file) {
  const auto header = at<Elf64_Ehdr>(file, 0);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = at<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_NOTE) continue;
    for (std::size_t offset = 0; offset + sizeof(Elf64_Nhdr) <= segment.p_filesz;) {
      const auto note = at<Elf64_Nhdr>(file, segment.p_offset + offset);
      const std::size_t name = segment.p_offset + offset + sizeof note;
      const std::size_t desc = name + ((note.n_namesz + 3u) & ~3u);
      if (note.n_type == CAPE_NOTE_TYPE && file.compare(name, 5, std::string("CAPE\0", 5)) == 0) {
        return at<cape_note>(file, desc);
      }
      offset = desc - segment.p_offset + ((note.n_descsz + 3u) & ~3u);
    }
  }
  return std::nullopt;
}

TEST(Manifest, StandsInANoteOfTheFile) {
  const std::optional<cape_note> note = note_of(read_file(CAPE_PLAIN_PLUGIN));

  ASSERT_TRUE(note);
  EXPECT_EQ(note->note_size, sizeof(cape_note));
  EXPECT_EQ(note->abi_major, CAPE_ABI_MAJOR);
  EXPECT_EQ(note->kinds, CAPE_KIND_LAMBDA);
  EXPECT_EQ(note->wants, CAPE_WANTS_STATE | CAPE_WANTS_READ);
  EXPECT_STREQ(note->id, "plain_plugin");
  EXPECT_STREQ(note->version, "1.2.3");
}

TEST(Manifest, OfTheCppMacroTellsKindAndWishes) {
  const std::optional<cape_note> lambda = note_of(read_file(CAPE_FIRST_LAMBDA));
  const std::optional<cape_note> source = note_of(read_file(CAPE_SMALL_SOURCE));

  ASSERT_TRUE(lambda && source);
  EXPECT_STREQ(lambda->id, "first_lambda");
  EXPECT_EQ(lambda->kinds, CAPE_KIND_LAMBDA);
  EXPECT_EQ(lambda->wants, CAPE_WANTS_STATE);
  EXPECT_EQ(source->kinds, CAPE_KIND_SOURCE);
  EXPECT_EQ(source->wants, 0u);
}

TEST(PlainPlugin, RunsOverTheCAbiAlone) {
  const LoadedPlugin plugin(CAPE_PLAIN_PLUGIN);
  const FakeHost host;
  FakeCall call;

  LambdaInstance lambda(plugin.factory<cape_lambda>(CAPE_FACTORY_LAMBDA), host);

  EXPECT_EQ(lambda.process(call, FakeEvent{}), CAPE_OK);
  EXPECT_EQ(call.outputs[0], "text");
  EXPECT_EQ(plugin.entry().get_factory("cape.lambda/1x"), nullptr);
}

TEST(FirstLambda, DoesWhatTheGuideSays) {
  const TempDir dir;
  const LoadedPlugin plugin(CAPE_FIRST_LAMBDA);
  FakeHost host;
  host.grant_state(dir.path().string());
  FakeCall call;
  FakeEvent empty;
  empty.payload = "";

  LambdaInstance lambda(plugin.factory<cape_lambda>(CAPE_FACTORY_LAMBDA), host);

  EXPECT_EQ(lambda.process(call, FakeEvent{}), CAPE_OK);
  EXPECT_EQ(lambda.process(empty), CAPE_SKIPPED);
  EXPECT_EQ(read_file(dir / "audit.log"), "a 1 text\n");
  EXPECT_EQ(call.outputs[0], "text");
}

}  // namespace
}  // namespace cape::test
