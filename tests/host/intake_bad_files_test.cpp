// Each kind of bad file is set aside with its reason and costs no child.
#include <elf.h>
#include <sys/stat.h>

#include "tests/host/intake_fixture.hpp"

namespace cape::child {
namespace {

using test::fake_plugin;
using test::IntakeTest;
using test::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IntakeBadFile : public IntakeTest {
 protected:
  void expect_refused(const std::string& reason) {
    write_file(watched / "good.so", fake_plugin("good", "1.0"));
    open_later();

    EXPECT_THAT(only_reason(), HasSubstr(reason));
    EXPECT_THAT(served(), ElementsAre("good 1.0"));
    EXPECT_EQ(inspections.started_in_all(), 1);
    EXPECT_TRUE(intake->settled());
  }
};

TEST_F(IntakeBadFile, Empty) {
  write_file(watched / "bad.so", "");
  expect_refused("it is empty");
}
TEST_F(IntakeBadFile, Text) {
  write_file(watched / "bad.so", "#!/bin/sh\necho this is no library\n");
  expect_refused("not a shared library");
}
TEST_F(IntakeBadFile, Directory) {
  std::filesystem::create_directory(watched / "bad.so");
  expect_refused("not a regular file");
}
TEST_F(IntakeBadFile, FifoWithoutBlocking) {
  ASSERT_EQ(::mkfifo((watched / "bad.so").c_str(), 0600), 0);
  expect_refused("not a regular file");
}
TEST_F(IntakeBadFile, Symlink) {
  write_file(builtin / "target", fake_plugin("a", "1.0"));
  std::filesystem::create_symlink(builtin / "target", watched / "bad.so");
  expect_refused("symbolic link");
}
TEST_F(IntakeBadFile, ThirtyTwoBit) {
  std::string bytes = fake_plugin("a", "1.0");
  bytes[EI_CLASS] = ELFCLASS32;
  write_file(watched / "bad.so", bytes);
  expect_refused("32-bit");
}
TEST_F(IntakeBadFile, OtherMachine) {
  std::string bytes = fake_plugin("a", "1.0");
  bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  write_file(watched / "bad.so", bytes);
  expect_refused("another machine");
}
TEST_F(IntakeBadFile, Program) {
  std::string bytes = fake_plugin("a", "1.0");
  bytes[sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)] = PT_INTERP;
  write_file(watched / "bad.so", bytes);
  expect_refused("a program");
}
TEST_F(IntakeBadFile, StaticArchive) {
  write_file(watched / "bad.so", "!<arch>\nmember.o/       0           0     0     644     8         `\n");
  expect_refused("static archive");
}
TEST_F(IntakeBadFile, SparseFourGigabytes) {
  write_file(watched / "bad.so", fake_plugin("a", "1.0"));
  std::filesystem::resize_file(watched / "bad.so", std::uintmax_t{4} << 30);
  expect_refused("it has 4294967296 bytes; a plugin has at most 1048576");
}
TEST_F(IntakeBadFile, CutOff) {
  write_file(watched / "bad.so", fake_plugin("a", "1.0").substr(0, 150));
  expect_refused("cut off");
}

}  // namespace
}  // namespace cape::child
