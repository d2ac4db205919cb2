// What cape/lambda.hpp promises: nothing a C++ lambda does leaves it other than as a status with a reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cape/lambda.hpp>

#include <functional>
#include <new>
#include <stdexcept>

#include "tests/fakes/loaded_plugin.hpp"

namespace {

using cape::test::FakeCall;
using cape::test::FakeEvent;
using cape::test::FakeHost;
using cape::test::LambdaInstance;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Runs `body` as the lambda's operator().
class Scripted {
 public:
  using Body = std::function<cape::Outcome(const cape::Event&, cape::Call&)>;

  cape::Outcome operator()(const cape::Event& event, cape::Call& call) { return body(event, call); }
  cape::Outcome flush(cape::Call&) { throw std::runtime_error("disk full"); }

  static inline Body body;
};

cape_status run(FakeCall& call, Scripted::Body body) {
  constexpr cape_lambda table = cape::detail::lambda_table<Scripted>();
  const FakeHost host;
  Scripted::body = std::move(body);
  return LambdaInstance(table, host).process(call, FakeEvent{});
}

[[noreturn]] cape::Outcome throws(const auto& what) {
  throw what;
}

TEST(Lambda, OutcomeReachesTheHostWithReasonAndCode) {
  FakeCall call;

  EXPECT_EQ(run(call, [](auto&, auto&) { return cape::Outcome::retry("busy").with_code(12); }), CAPE_RETRY);

  EXPECT_EQ(call.errors[0], "busy");
  EXPECT_EQ(call.codes[0], 12);
}

TEST(Lambda, OkSaysNothing) {
  FakeCall call;

  EXPECT_EQ(run(call, [](auto&, auto&) { return cape::Outcome::ok(); }), CAPE_OK);

  EXPECT_THAT(call.errors, IsEmpty());
}

TEST(Lambda, ExceptionIsRetriedWithItsText) {
  FakeCall call;
  EXPECT_EQ(run(call, [](auto&, auto&) { return throws(std::runtime_error("no route")); }), CAPE_RETRY);
  EXPECT_EQ(call.errors[0], "no route");
}

TEST(Lambda, ThingThatIsNoExceptionIsRetriedToo) {
  FakeCall call;
  EXPECT_EQ(run(call, [](auto&, auto&) { return throws(42); }), CAPE_RETRY);
  EXPECT_THAT(call.errors[0], HasSubstr("not a std::exception"));
}

TEST(Lambda, RunningOutOfMemoryIsNamed) {
  FakeCall call;
  EXPECT_EQ(run(call, [](auto&, auto&) { return throws(std::bad_alloc()); }), CAPE_NO_MEMORY);
}

TEST(Lambda, FailureCarriesItsOutcome) {
  FakeCall call;
  const cape::Failure failure(cape::Outcome::bad_input("no such field").with_code(3));
  EXPECT_EQ(run(call, [&](auto&, auto&) { return throws(failure); }), CAPE_BAD_INPUT);
  EXPECT_EQ(call.errors[0], "no such field");
  EXPECT_EQ(call.codes[0], 3);
}

TEST(Lambda, OutputOverTheCapEndsTheEventWithLimit) {
  FakeCall call;
  call.output_bytes_max = 3;
  const auto emit_four = [](auto&, cape::Call& c) {
    c.emit("four");
    return cape::Outcome::ok();
  };

  EXPECT_EQ(run(call, emit_four), CAPE_LIMIT);

  EXPECT_THAT(call.outputs, IsEmpty());
  EXPECT_THAT(call.errors[0], AllOf(HasSubstr("of 4 bytes"), HasSubstr("limits.output")));
}

TEST(Lambda, SecondOutputIsRefused) {
  FakeCall call;
  const auto emit_twice = [](auto&, cape::Call& c) {
    c.emit("a");
    c.emit("b");
    return cape::Outcome::ok();
  };

  EXPECT_EQ(run(call, emit_twice), CAPE_BAD_INPUT);

  EXPECT_EQ(call.outputs[0], "a");
  EXPECT_THAT(call.errors[0], HasSubstr("second output"));
}

TEST(Lambda, OutputCanBeWrittenInPlace) {
  FakeCall call;
  const auto in_place = [](auto&, cape::Call& c) {
    std::uint8_t* room = c.reserve(8);
    room[0] = 'o';
    room[1] = 'k';
    c.commit(2);
    return cape::Outcome::ok();
  };

  EXPECT_EQ(run(call, in_place), CAPE_OK);

  EXPECT_EQ(call.outputs[0], "ok");
}

TEST(Lambda, CallShowsDeadlineAndCancel) {
  FakeCall call;
  call.cancelled = true;
  call.deadline_ns = 5'000;
  const auto look = [](auto&, cape::Call& c) {
    c.heartbeat();
    EXPECT_TRUE(c.cancelled());
    EXPECT_EQ(c.deadline()->time_since_epoch(), std::chrono::microseconds(5));
    return cape::Outcome::ok();
  };

  EXPECT_EQ(run(call, look), CAPE_OK);

  EXPECT_EQ(call.heartbeats, 1);
}

TEST(Lambda, EventShowsItsFieldsAndInputs) {
  const cape_input parse = {cape::bytes_of("parse"), cape::bytes_of("tree")};
  const cape_input* inputs[] = {&parse};
  cape_event raw{};
  raw.sequence = 4;
  raw.attempt = 2;
  raw.flags = CAPE_EVENT_MAY_REPEAT | CAPE_EVENT_LATE;
  raw.input_count = 1;
  raw.inputs = inputs;
  const cape::Event event(&raw);

  EXPECT_EQ(event.sequence(), 4);
  EXPECT_EQ(event.attempt(), 2u);
  EXPECT_TRUE(event.may_repeat());
  EXPECT_FALSE(event.is_replay());
  EXPECT_TRUE(event.is_late());
  EXPECT_EQ(event.payload(), "") << "NULL and 0 bytes are legal";
  EXPECT_EQ(event.input("parse"), "tree");
  EXPECT_EQ(event.input("pars"), std::nullopt);
}

TEST(Lambda, ExceptionInFlushFailsTheBatch) {
  constexpr cape_lambda table = cape::detail::lambda_table<Scripted>();
  const FakeHost host;
  LambdaInstance lambda(table, host);
  FakeCall call;

  EXPECT_EQ(lambda.flush(call), CAPE_RETRY);

  EXPECT_EQ(call.errors[0], "disk full");
}

// ---- construction

template <class Error>
struct Unmakeable {
  Unmakeable() { throw Error("cannot be made"); }
  void operator()(const cape::Event&) {}
};

TEST(Lambda, ConfigErrorInTheConstructorDisablesThePlugin) {
  constexpr cape_lambda table = cape::detail::lambda_table<Unmakeable<cape::ConfigError>>();
  FakeHost host;

  EXPECT_EQ(LambdaInstance(table, host).created(), CAPE_BAD_CONFIG);

  EXPECT_THAT(host.logs, ElementsAre("3 cannot be made"));
}

TEST(Lambda, OtherErrorInTheConstructorIsTriedAgain) {
  constexpr cape_lambda table = cape::detail::lambda_table<Unmakeable<std::runtime_error>>();
  FakeHost host;

  EXPECT_EQ(LambdaInstance(table, host).created(), CAPE_RETRY);

  EXPECT_THAT(host.logs, ElementsAre("3 cannot be made"));
}

struct Plain {
  void operator()(const cape::Event&) {}
};

TEST(Lambda, OptionalFunctionsAreOfferedOnlyWhereTheClassHasThem) {
  constexpr cape_lambda plain = cape::detail::lambda_table<Plain>();
  constexpr cape_lambda scripted = cape::detail::lambda_table<Scripted>();
  const FakeHost host;

  EXPECT_EQ(plain.flush, nullptr);
  EXPECT_EQ(plain.process_batch, nullptr);
  EXPECT_EQ(plain.flags, 0u);
  EXPECT_NE(scripted.flush, nullptr);
  EXPECT_EQ(LambdaInstance(plain, host).process(FakeEvent{}), CAPE_OK) << "void is ok()";
}

// ---- batches

// Outcomes by payload: "ok", "retry", "none" (gives none), "throw".
struct Batched {
  static constexpr std::uint32_t lambda_flags = CAPE_LAMBDA_ORDERED_BATCH;

  void batch(cape::Batch& batch) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const std::string_view what = batch.event(i).payload();
      if (what == "throw") throw std::runtime_error("in a batch");
      if (what == "ok") batch.set(i, cape::Outcome::ok());
      if (what == "retry") batch.set(i, cape::Outcome::retry("later"));
    }
  }
};

std::vector<cape_status> run_batch(FakeCall& call, const std::vector<FakeEvent>& events, cape_status& whole) {
  static constexpr cape_lambda table = cape::detail::lambda_table<Batched>();
  const FakeHost host;
  void* self = nullptr;
  EXPECT_EQ(table.create(host.table(), cape::bytes_of("{}"), &self), CAPE_OK);
  std::vector<cape_event> views;
  for (const FakeEvent& event : events) views.push_back(event.view());
  std::vector<const cape_event*> pointers;
  for (const cape_event& view : views) pointers.push_back(&view);
  std::vector<cape_status> out(events.size(), CAPE_OK);
  whole = table.process_batch(self, call.table(), pointers.data(), static_cast<std::uint32_t>(out.size()),
                              out.data());
  table.destroy(self);
  return out;
}

FakeEvent batch_event(const std::string& subject, const std::string& payload) {
  FakeEvent event;
  event.subject = subject;
  event.payload = payload;
  return event;
}

TEST(LambdaBatch, EventsBehindAFailedOneOfTheirSubjectAreCancelled) {
  FakeCall call;
  cape_status whole = CAPE_INTERNAL;

  const auto out = run_batch(call,
                             {batch_event("a", "ok"), batch_event("a", "retry"), batch_event("a", "none"),
                              batch_event("a", "none"), batch_event("b", "ok")},
                             whole);

  EXPECT_EQ(whole, CAPE_OK);
  EXPECT_THAT(out, ElementsAre(CAPE_OK, CAPE_RETRY, CAPE_CANCELLED, CAPE_CANCELLED, CAPE_OK));
  EXPECT_EQ(call.errors[1], "later");
}

TEST(LambdaBatch, EventWithoutAnOutcomeIsNeverTakenForDone) {
  FakeCall call;
  cape_status whole = CAPE_INTERNAL;

  const auto out = run_batch(call, {batch_event("a", "none"), batch_event("b", "ok")}, whole);

  EXPECT_THAT(out, ElementsAre(CAPE_INTERNAL, CAPE_OK));
  EXPECT_THAT(call.errors[0], HasSubstr("no outcome"));
}

TEST(LambdaBatch, ExceptionCountsForTheWholeCall) {
  FakeCall call;
  cape_status whole = CAPE_OK;

  run_batch(call, {batch_event("a", "ok"), batch_event("b", "throw")}, whole);

  EXPECT_EQ(whole, CAPE_RETRY);
  EXPECT_EQ(call.errors[0], "in a batch");
}

TEST(LambdaBatch, LambdaWithBatchAloneRunsSingleEvents) {
  constexpr cape_lambda table = cape::detail::lambda_table<Batched>();
  const FakeHost host;
  LambdaInstance lambda(table, host);

  EXPECT_EQ(lambda.process(batch_event("a", "ok")), CAPE_OK);
  EXPECT_EQ(lambda.process(batch_event("a", "retry")), CAPE_RETRY);
  EXPECT_EQ(lambda.process(batch_event("a", "throw")), CAPE_RETRY);
  EXPECT_EQ(lambda.process(batch_event("a", "none")), CAPE_INTERNAL);
}

}  // namespace
