// Plugins that were built with the headers of a released ABI 1, and are never built anew, do in this build
// what they did then: over the real runner in the real sandbox.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "host/child/inspector.hpp"
#include "tests/child/driver.hpp"

namespace cape::child {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

#if defined(__x86_64__)
const std::string machine = "x86_64";
#else
const std::string machine = "other";
#endif

std::vector<std::string> releases() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(CAPE_TEST_PLUGINS))
    if (entry.is_directory()) found.push_back(entry.path().filename());
  std::ranges::sort(found);
  return found;
}

class GoldenPlugin : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (machine == "other") GTEST_SKIP() << "the released plugins are built for x86_64";
  }
  ChildSpec spec(const std::string& id, ChildKind kind) {
    ChildSpec made = spec_of(GetParam() + "/" + id + "." + machine, kind);
    auto image = std::make_shared<PluginImage>();
    image->memfd = UniqueFd(::dup(made.image->memfd.get()));
    image->file = made.image->file;
    image->hash = made.image->hash;
    image->bytes = made.image->bytes;
    if (kind != ChildKind::inspect) image->id = id;
    made.image = std::move(image);
    return made;
  }
  void start_lambda(const std::string& config = R"({"prefix":"then"})") {
    ChildSpec wanted = spec("golden_lambda", ChildKind::lambda);
    wanted.config_json = config;
    auto started = start_lambda_child(wanted);
    ASSERT_TRUE(started) << started.error().message;
    lambda_ = std::move(*started);
  }
  std::vector<LambdaReport> run(wire::RunJob job) {
    job.outputs_bytes_max = 1 << 20;
    EXPECT_TRUE(lambda_->submit(job, false));
    lambda_->wake();
    return poll_until<LambdaReport>(*lambda_, at_least<ChildJobDone, LambdaReport>(1));
  }
  // One job of these payloads, its outputs as text.
  std::vector<std::string> outputs(const std::vector<std::string>& payloads) {
    done_ = pick<ChildJobDone>(run(job_of(1, "s", payloads))).at(0).status;
    std::vector<std::string> texts;
    for (const OutputPtr& output : done_.outputs) texts.push_back(output ? *output : "");
    return texts;
  }
  void start_source() {
    auto started = start_source_child(spec("golden_source", ChildKind::source));
    ASSERT_TRUE(started) << started.error().message;
    source_ = std::move(*started);
  }
  std::vector<QueryAnswer> query(const std::vector<SourceQuery>& queries) {
    EXPECT_TRUE(source_->query(queries, 2, 256 << 10));
    return pick<QueryAnswer>(poll_until<SourceReport>(*source_, at_least<CallDone, SourceReport>(1)));
  }

  std::unique_ptr<LambdaChild> lambda_;
  std::unique_ptr<SourceChild> source_;
  wire::JobStatus done_;
};

TEST_P(GoldenPlugin, LambdaReadsItsEventsAndGivesOutputs) {
  start_lambda();

  EXPECT_THAT(outputs({"one"}), ElementsAre("then audit s one -"));
  EXPECT_THAT(outputs({"emit"}), ElementsAre("emitted"));
  EXPECT_EQ(done_.end.kind, OutcomeKind::ok) << done_.end.reason;
}

TEST_P(GoldenPlugin, LambdaRunsABatchInOrder) {
  start_lambda();

  EXPECT_THAT(outputs({"one", "two", "three"}),
              ElementsAre("then audit s one -", "then audit s two -", "then audit s three -"));
  EXPECT_EQ(done_.done_to, 3);
}

TEST_P(GoldenPlugin, LambdaGetsWhatAnotherGave) {
  start_lambda();
  wire::RunJob job = job_of(1, "s", {"one"});
  job.inputs.push_back({.lambda = "before", .outputs = {std::make_shared<const std::string>("given")}});
  job.outputs_bytes_max = 1 << 20;

  const auto done = pick<ChildJobDone>(run(job)).at(0).status;

  ASSERT_EQ(done.outputs.size(), 1u) << done.end.reason;
  EXPECT_EQ(*done.outputs[0], "then audit s one given");
}

TEST_P(GoldenPlugin, LambdaSaysWhyItFailed) {
  start_lambda();

  outputs({"fail"});

  EXPECT_EQ(done_.end.kind, OutcomeKind::failed);
  EXPECT_THAT(done_.end.reason, HasSubstr("failed on purpose"));
  EXPECT_EQ(done_.app_code, 18);
}

TEST_P(GoldenPlugin, LambdaLogsAndCounts) {
  start_lambda();

  const auto reports = run(job_of(1, "s", {"hello"}));

  const auto lines = pick<ChildLog>(reports);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "hello");
  const auto metrics = lambda_->metrics();
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_EQ(metrics[0].name, "runs");
  EXPECT_EQ(metrics[0].value, 1);
}

TEST_P(GoldenPlugin, LambdaRefusesAConfigWithTheReason) {
  start_lambda("{}");

  const auto ended =
      pick<ChildEnded>(poll_until<LambdaReport>(*lambda_, at_least<ChildEnded, LambdaReport>(1)));

  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].cause, OutcomeKind::bad_config);
  EXPECT_THAT(ended[0].end.reason, HasSubstr("'prefix' is missing"));
}

TEST_P(GoldenPlugin, SourceAnswersQueries) {
  start_source();

  const auto answers =
      query({{.tag = 1, .subject = "a", .start = 1}, {.tag = 2, .subject = "b", .start = 1}});

  ASSERT_EQ(answers.size(), 2u);
  ASSERT_EQ(answers[0].block->entries.size(), 2u);
  EXPECT_EQ(answers[0].block->entries[1].sequence, 2);
  EXPECT_EQ(answers[0].latest, 3);
  EXPECT_TRUE(answers[0].more);
  ASSERT_EQ(answers[1].block->entries.size(), 1u);
  EXPECT_FALSE(answers[1].more);
}

TEST_P(GoldenPlugin, SourceListsItsSubjects) {
  start_source();
  EXPECT_TRUE(source_->scan("", 1));

  const auto answers =
      pick<ScanAnswer>(poll_until<SourceReport>(*source_, at_least<CallDone, SourceReport>(1)));

  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(answers[0].subjects.size(), 1u);
  EXPECT_EQ(answers[0].subjects[0].subject, "a");
  EXPECT_EQ(answers[0].subjects[0].latest, 3);
  EXPECT_TRUE(answers[0].more);
}

TEST_P(GoldenPlugin, IsTakenIn) {
  for (const char* id : {"golden_lambda", "golden_source"}) {
    auto inspector = make_child_inspector({.require_level = 'D'});
    auto inspection = inspector->start(spec(id, ChildKind::inspect).image, boot_ns());
    ASSERT_TRUE(inspection) << inspection.error().message;
    std::optional<InspectionVerdict> verdict;
    const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
    while (!(verdict = (*inspection)->poll(boot_ns())))
      ASSERT_TRUE(wait_readable((*inspection)->fd(), deadline_ns)) << "no verdict";

    EXPECT_EQ(verdict->kind, InspectionVerdict::Kind::good) << id << ": " << verdict->reason;
    EXPECT_EQ(verdict->manifest.id, id);
  }
}

INSTANTIATE_TEST_SUITE_P(Abi, GoldenPlugin, testing::ValuesIn(releases()), [](const auto& tested) {
  std::string name = tested.param;
  std::ranges::replace(name, '.', '_');
  return "Of" + name;
});

}  // namespace
}  // namespace cape::child
