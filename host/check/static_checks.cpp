// The checks that run no code of the plugin.
#include <sys/stat.h>

#include <array>

#include "host/check/check.hpp"
#include "host/child/runner/file_checks.hpp"

namespace cape::check {
namespace {

// What these say was found out before any check ran.
Finding check_form(const Bench& bench) {
  return bench.form;
}
Finding check_manifest(const Bench& bench) {
  return bench.note;
}
Finding check_abi(const Bench& bench) {
  return bench.abi;
}

// Those that a host makes, too, before it takes a file in.
template <std::size_t index>
Finding check_headers(const Bench& bench) {
  using Kind = child::FileFinding::Kind;
  const Result<child::ElfFile> elf = child::read_elf(bench.bytes);
  if (!elf) return {Verdict::fail, elf.error().message};
  child::FileFinding found = child::file_checks()[index].look(*elf);
  const Verdict verdict = found.kind == Kind::bad           ? Verdict::fail
                          : found.kind == Kind::warning     ? Verdict::warning
                          : found.kind == Kind::information ? Verdict::information
                                                            : Verdict::pass;
  return {verdict, std::move(found.text)};
}

Finding check_oddities(const Bench& bench) {
  if ((bench.mode & (S_ISUID | S_ISGID)) != 0)
    return {Verdict::fail, "the file has a set-user-id bit; chmod a-s it"};
  const Result<child::ElfFile> elf = child::read_elf(bench.bytes);
  if (!elf || elf->resolvers.empty()) return {};
  return {Verdict::information, "resolvers run while it is loaded: " + child::listed_names(elf->resolvers)};
}

template <std::size_t index>
Check headers() {
  const child::FileCheck& check = child::file_checks()[index];
  return {check.id, check.promise, check_headers<index>};
}

}  // namespace

std::span<const Check> static_checks() {
  static const std::array all{Check{"S1", "it is a whole shared library of this machine", check_form},
                              Check{"S2", "it has one manifest, and that is right", check_manifest},
                              Check{"S3", "it needs an ABI that this Cape offers", check_abi},
                              headers<0>(),
                              headers<1>(),
                              headers<2>(),
                              headers<3>(),
                              headers<4>(),
                              Check{"S9", "it has no set-user-id bit", check_oddities}};
  return all;
}

}  // namespace cape::check
