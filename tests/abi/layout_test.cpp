// The layout of ABI 1 as this build has it, against the committed text: layout.txt is what a binding in
// another language is checked against, and a line that changes is a commit somebody made on purpose.
#include <cape/ping.h>
#include <cape/plugin.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace cape {
namespace {

struct Field {
  std::string name;
  std::size_t offset, bytes, alignment;
};
struct Struct {
  std::string name;
  std::size_t bytes;
  std::vector<Field> fields;
};
struct Layout {
  std::vector<Struct> structs;
  std::vector<std::pair<std::string, long>> values;
};

Layout layout_here() {
  Layout layout;
#define SIZE(type, bytes) layout.structs.push_back({#type, sizeof(type), {}})
#define AT(type, field, offset)                                                 \
  layout.structs.back().fields.push_back({#field, offsetof(type, field),        \
                                          sizeof(static_cast<type*>(0)->field), \
                                          alignof(decltype(static_cast<type*>(0)->field))})
#define VALUE(name, value) layout.values.emplace_back(#name, static_cast<long>(name))
#include "tests/plugin_api/layout_lists.h"
#undef SIZE
#undef AT
#undef VALUE
  return layout;
}

std::string text_of(const Layout& layout) {
  std::ostringstream text;
  for (const Struct& one : layout.structs) {
    text << one.name << ' ' << one.bytes << '\n';
    for (const Field& field : one.fields)
      text << one.name << '.' << field.name << ' ' << field.offset << ' ' << field.bytes << '\n';
  }
  for (const auto& [name, value] : layout.values) text << name << ' ' << value << '\n';
  return text.str();
}

std::size_t aligned(std::size_t at, std::size_t alignment) {
  return (at + alignment - 1) / alignment * alignment;
}

TEST(AbiLayout, IsTheCommittedOne) {
  const std::string file = std::string(CAPE_ABI_TESTS) + "/layout.txt";
  std::ifstream in(file);
  const std::string committed{std::istreambuf_iterator<char>(in), {}};
  const std::string here = text_of(layout_here());
  const std::string made = testing::TempDir() + "cape_layout.txt";

  if (here == committed) return;
  std::ofstream(made) << here;
  FAIL()
      << "see: diff " << file << ' ' << made
      << "\nLines that were added at the end of a table are a new minor: copy it over. Any other difference "
         "breaks plugins that are built already.";
}

// So that a field which the lists forget is noticed: the listed ones leave no hole.
TEST(AbiLayout, ListsEveryFieldOfEveryStruct) {
  for (const Struct& one : layout_here().structs) {
    if (one.fields.empty()) continue;
    std::size_t end = 0, widest = 1;
    for (const Field& field : one.fields) {
      EXPECT_EQ(field.offset, aligned(end, field.alignment)) << "before " << one.name << '.' << field.name;
      end = field.offset + field.bytes;
      widest = std::max(widest, field.alignment);
    }
    EXPECT_EQ(one.bytes, aligned(end, widest)) << "after the last field of " << one.name;
  }
}

}  // namespace
}  // namespace cape
