// What a person types after `cape search`, as FTS5 is given it.
#include <gtest/gtest.h>

#include "cli/search/query.hpp"

namespace cape::cli {
namespace {

TEST(SearchQuery, EveryWordIsTakenLiterally) {
  EXPECT_EQ(fts_query("bounded  queue"), "\"bounded\" \"queue\"");
  EXPECT_EQ(fts_query("\tNOT a-b (c) path:x"), "\"NOT\" \"a-b\" \"(c)\" \"path:x\"");
  EXPECT_EQ(fts_query("say \"hi\""), "\"say\" \"\"\"hi\"\"\"");
  EXPECT_EQ(fts_query(std::string_view("a\0b", 3)), "\"ab\"");
}

TEST(SearchQuery, StarAtTheEndOfAWordLetsItGoOn) {
  EXPECT_EQ(fts_query("disp* * x"), "\"disp\"* \"*\" \"x\"");
}

TEST(SearchQuery, NoWordIsNoQuery) {
  EXPECT_EQ(fts_query(""), "");
  EXPECT_EQ(fts_query(" \n"), "");
}

}  // namespace
}  // namespace cape::cli
