// What cape/source.hpp promises, over tests/plugin_api/small_source.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/loaded_plugin.hpp"

namespace cape::test {
namespace {

using ::testing::ElementsAre;

class SmallSource : public ::testing::Test {
 protected:
  FakeHost host_;
  LoadedPlugin plugin_{CAPE_SMALL_SOURCE};
  SourceInstance source_{plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_};
};

TEST_F(SmallSource, AnswersReachTheHost) {
  FakeCall call;
  std::int64_t bound = 0;
  std::uint32_t more = 1;

  EXPECT_EQ(source_.latest(call, "a", bound), CAPE_OK);
  EXPECT_EQ(bound, 1);
  EXPECT_EQ(source_.latest(call, "b", bound), CAPE_NOT_FOUND);
  EXPECT_EQ(source_.query(call, "a", 1, 10), (QueryResult{CAPE_OK, 2, 1, 0}));
  EXPECT_EQ(source_.query(call, "b", 1, 10).status, CAPE_NOT_FOUND);
  EXPECT_EQ(source_.scan(call, "", 10, more), CAPE_OK);
  EXPECT_EQ(more, 0u);
  EXPECT_THAT(call.events, ElementsAre(SeenEvent{0, 1, 0, "tick", "payload"}));
  EXPECT_THAT(call.subjects, ElementsAre(SeenSubject{"a", 1}));
}

TEST_F(SmallSource, FullAnswerIsNoError) {
  FakeCall call;
  call.rows_max = 0;
  std::uint32_t more = 0;

  EXPECT_EQ(source_.query(call, "a", 1, 10), (QueryResult{CAPE_OK, 1, 1, 1}));
  EXPECT_EQ(source_.scan(call, "", 10, more), CAPE_OK);
  EXPECT_EQ(more, 1u);
}

std::vector<cape_source_query> queries_for(std::initializer_list<const char*> subjects) {
  std::vector<cape_source_query> queries;
  for (const char* subject : subjects) {
    cape_source_query& query = queries.emplace_back();
    query.subject = bytes(subject);
    query.start = 1;
  }
  return queries;
}

TEST_F(SmallSource, QueriesOfABatchFailAndSucceedAlone) {
  std::vector<cape_source_query> queries = queries_for({"a", "bad", "forgotten", "unknown"});
  FakeCall call;

  ASSERT_EQ(source_.query_batch(call, queries, 10), CAPE_OK);

  EXPECT_EQ(queries[0].status, CAPE_OK);
  EXPECT_EQ(queries[0].next_start, 2);
  EXPECT_EQ(queries[1].status, CAPE_RETRY);
  EXPECT_EQ(call.errors[1], "bad subject");
  EXPECT_EQ(queries[2].status, CAPE_INTERNAL) << "an answer that was forgotten is no answer";
  EXPECT_EQ(queries[3].status, CAPE_NOT_FOUND);
}

TEST_F(SmallSource, ExceptionInABatchFailsWhatHasNoAnswerYet) {
  std::vector<cape_source_query> queries = queries_for({"a", "thrown", "unknown"});
  FakeCall call;

  ASSERT_EQ(source_.query_batch(call, queries, 10), CAPE_OK);

  EXPECT_EQ(queries[0].status, CAPE_OK);
  EXPECT_EQ(queries[1].status, CAPE_RETRY);
  EXPECT_EQ(queries[2].status, CAPE_RETRY);
  EXPECT_EQ(call.errors[1], "the database is gone");
  EXPECT_EQ(call.errors[2], "the database is gone");
}

}  // namespace
}  // namespace cape::test
