// The sessions of hosts: who is let in, when, and with what.
#include "tests/broker/hosts_fixture.hpp"

namespace cape::broker {
namespace {

TEST_F(HostsTest, LearnsWhatIsPinnedBeforeItsFirstJob) {
  hosts->set_pins({{"p", "1.0", ""}});
  say(1, hello_of("a", 7));
  EXPECT_TRUE(is_up(commit()));

  ASSERT_EQ(end.sent.size(), 2u);
  ASSERT_TRUE(std::holds_alternative<wire::HostPins>(end.sent[0].second));
  EXPECT_EQ(end.all<wire::HostPins>(1)[0].pins.at(0).version, "1.0");
  EXPECT_EQ(end.all<wire::HostPins>(1)[0].session, 7u);
}

TEST_F(HostsTest, LearnsOfAPinThatCouldNotBeSentWithItsNextHeartbeat) {
  say(1, hello_of("a", 7));
  commit();
  end.full = true;
  hosts->set_pins({{"p", "1.0", ""}});
  end.full = false;
  EXPECT_TRUE(end.all<wire::HostPins>(1).back().pins.empty());

  say(1, wire::HostHeartbeat{.session = 7, .sent_ns = 1, .running = {}});

  EXPECT_EQ(end.all<wire::HostPins>(1).back().pins.size(), 1u);
  const std::size_t told = end.all<wire::HostPins>(1).size();
  say(1, wire::HostHeartbeat{.session = 7, .sent_ns = 2, .running = {}});
  EXPECT_EQ(end.all<wire::HostPins>(1).size(), told) << "once";
}

TEST_F(HostsTest, SessionIsUpOnlyWhenItsLeaseIsOnDisk) {
  EXPECT_THAT(say(1, hello_of("a", 7)), IsEmpty());
  EXPECT_TRUE(end.sent.empty());

  EXPECT_TRUE(is_up(commit()));

  ASSERT_EQ(store.recorded.size(), 1u);
  EXPECT_EQ(store.recorded[0].lease_ms, lease_ns / ns_per_ms);
  const auto welcomes = end.all<wire::BrokerWelcome>(1);
  ASSERT_EQ(welcomes.size(), 1u);
  EXPECT_EQ(welcomes[0].session, 7u);
}

// The lease of the session before was saved and removed again: that it is confirmed now proves nothing of
// this one.
TEST_F(HostsTest, LeaseOfAnEarlierSessionOfTheHostDoesNotBringUpTheNext) {
  say(1, hello_of("a", 7));
  const storage::HostLease earlier{.host = "a@0000000000000001", .session = 7};
  ASSERT_THAT(say(1, wire::HostGoodbye{.session = 7}), IsEmpty());
  say(1, hello_of("a", 8));

  std::vector<Input> inputs;
  hosts->on_lease_saved(earlier, now_ns, inputs);
  EXPECT_FALSE(is_up(inputs));

  EXPECT_TRUE(is_up(commit()));
}

TEST_F(HostsTest, NobodyIsUpBeforeEveryRecordedHostHasComeOrItsLeaseHasPassed) {
  start({{.host = "a@0000000000000001"}, {.host = "gone"}});
  say(1, hello_of("a", 7));
  EXPECT_FALSE(is_up(commit()));
  EXPECT_EQ(hosts->next_deadline(), now_ns + lease_ns + kill_ns);

  now_ns += lease_ns + kill_ns - 1;
  say(1, wire::HostHeartbeat{.session = 7});
  EXPECT_FALSE(is_up(step()));
  now_ns += 1;
  EXPECT_TRUE(is_up(step()));
}

TEST_F(HostsTest, SaysOnceThatEarlierJobsMayRunAndOnceThatTheyHaveEnded) {
  start({{.host = "gone"}});
  const auto may = only<scheduler::EarlierJobs>(step());
  EXPECT_TRUE(may.size() == 1 && may[0].may_run);
  EXPECT_THAT(step(), IsEmpty());
  now_ns += lease_ns + kill_ns;
  EXPECT_FALSE(only<scheduler::EarlierJobs>(step()).at(0).may_run);
}

TEST_F(HostsTest, RecordedLeaseThatIsLongerThanTodaysIsWaitedFor) {
  start({{.host = "gone", .lease_ms = 60'000}});

  EXPECT_EQ(hosts->next_deadline(), now_ns + 60 * ns_per_s + kill_ns);
}

TEST_F(HostsTest, WelcomeThatFoundTheQueueFullIsSentWithTheNextHeartbeat) {
  say(1, hello_of("a", 7));
  end.full = true;
  EXPECT_FALSE(is_up(commit()));

  end.full = false;
  EXPECT_TRUE(is_up(say(1, wire::HostHeartbeat{.session = 7})));
}

TEST_F(HostsTest, CreditIsForTheLambdaOfThatNameWhereverItsConfigHasIt) {
  wire::HostHello hello = hello_of("a", 7);
  hello.lambdas = {
      {"d", "other", "x", "p"}, {"d", "t", "second", "q"}, {"d", "t", "first", "another_plugin"}};
  say(1, hello);
  commit();

  EXPECT_THAT(say(1, wire::HostCredit{.session = 7, .lambda = 0, .jobs_max = 5, .hash = "pp"}), IsEmpty());
  EXPECT_THAT(say(1, wire::HostCredit{.session = 7, .lambda = 2, .jobs_max = 5, .hash = "pp"}), IsEmpty());
  EXPECT_THAT(say(1, wire::HostCredit{.session = 7, .lambda = 9, .jobs_max = 5, .hash = "pp"}), IsEmpty());
  const auto credits = only<scheduler::Credit>(
      say(1, wire::HostCredit{.session = 7, .lambda = 1, .jobs_max = 5, .hash = "qq"}));

  ASSERT_EQ(credits.size(), 1u);
  EXPECT_EQ(credits[0].lambda, 1u);
  EXPECT_EQ(credits[0].jobs_max, 5u);
}

TEST_F(HostsTest, JobsAndReportsAreInTheWordsOfEachSide) {
  wire::HostHello hello = hello_of("a", 7);
  std::swap(hello.lambdas[0], hello.lambdas[1]);
  say(1, hello);
  const auto up = only<scheduler::HostUp>(commit());
  ASSERT_EQ(up.size(), 1u);
  auto block = std::make_shared<EventBlock>();
  block->add(1, 0, "", "x");

  publisher->add({.host = up[0].host,
                  .job = 5,
                  .lambda = 0,
                  .hash = "pp",
                  .subject = 1,
                  .name = "s",
                  .events = {block, 0, 1}});
  std::vector<Input> not_sent;
  publisher->flush(not_sent);
  wire::HostReport report{
      .session = 7, .children = {{.lambda = 1}, {.lambda = 8}}, .metrics = {{.lambda = 0}, {.lambda = 8}}};
  say(1, report);

  EXPECT_THAT(not_sent, IsEmpty());
  const auto jobs = end.all<wire::RunJobs>(1);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].session, 7u);
  EXPECT_EQ(jobs[0].jobs.at(0).lambda, 1u);
  const auto& children = hosts->sessions().begin()->second.report.children;
  ASSERT_EQ(children.size(), 1u);
  EXPECT_EQ(children[0].lambda, 0u);
  const auto& metrics = hosts->sessions().begin()->second.report.metrics;
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_EQ(metrics[0].lambda, 1u);
}

TEST_F(HostsTest, JobsOfOneMessageFitIntoWhatAHostTakes) {
  say(1, hello_of("a", 7));
  const auto up = only<scheduler::HostUp>(commit());
  auto block = std::make_shared<EventBlock>();
  block->add(1, 0, "", std::string(3u << 20, 'x'));

  for (JobId job = 1; job <= 7; ++job)
    publisher->add(
        {.host = up[0].host, .job = job, .lambda = 0, .subject = 1, .name = "s", .events = {block, 0, 1}});
  std::vector<Input> not_sent;
  publisher->flush(not_sent);

  std::vector<std::size_t> sizes;
  JobId next = 1;
  for (const wire::RunJobs& message : end.all<wire::RunJobs>(1)) {
    sizes.push_back(message.jobs.size());
    for (const wire::RunJob& job : message.jobs) EXPECT_EQ(job.job, next++);
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 2, 1}));
}

TEST_F(HostsTest, CreditForBytesThatItDoesNotOfferIsNone) {
  say(1, hello_of("a", 7));
  commit();

  const auto credits = only<scheduler::Credit>(
      say(1, wire::HostCredit{.session = 7, .lambda = 0, .jobs_max = 5, .hash = "other"}));
  ASSERT_EQ(credits.size(), 1u);
  EXPECT_EQ(credits[0].jobs_max, 0u);
  EXPECT_FALSE(credits[0].trouble.empty());
}

TEST_F(HostsTest, CreditForALambdaIsNoneWithoutTheLabelsThatItAsksFor) {
  plan.lambdas[1].where = {{"zone", "eu"}, {"rack", "7"}};
  start({});
  const auto credit_of = [&](SessionId session, HostLabels labels) {
    wire::HostHello hello = hello_of("a", session);
    hello.labels = std::move(labels);
    say(1, hello);
    commit();
    return only<scheduler::Credit>(
               say(1, wire::HostCredit{.session = session, .lambda = 1, .jobs_max = 5, .hash = "qq"}))
        .at(0);
  };

  EXPECT_EQ(credit_of(7, {{"zone", "eu"}, {"rack", "7"}, {"more", "x"}}).jobs_max, 5u);

  const scheduler::Credit without = credit_of(8, {{"zone", "eu"}});
  EXPECT_EQ(without.jobs_max, 0u);
  EXPECT_EQ(without.trouble, "the lambda asks for a host with rack = \"7\", this one has no such label");
  EXPECT_EQ(credit_of(9, {{"zone", "us"}, {"rack", "7"}}).trouble,
            "the lambda asks for a host with zone = \"eu\", this one has \"us\"");
}

TEST_F(HostsTest, JobsOfOneMessageFitWithTheirInputs) {
  say(1, hello_of("a", 7));
  const auto up = only<scheduler::HostUp>(commit());
  auto block = std::make_shared<EventBlock>();
  block->add(1, 0, "", "x");
  const auto input = std::make_shared<const std::string>(3u << 20, 'x');

  for (JobId job = 1; job <= 3; ++job) {
    scheduler::IssueJob issued;
    issued.host = up[0].host;
    issued.job = job;
    issued.subject = 1;
    issued.name = "s";
    issued.events = {block, 0, 1};
    issued.inputs = {{.lambda = "up", .outputs = {input}}};
    publisher->add(std::move(issued));
  }
  std::vector<Input> not_sent;
  publisher->flush(not_sent);

  ASSERT_EQ(end.all<wire::RunJobs>(1).size(), 2u);
  EXPECT_EQ(end.all<wire::RunJobs>(1)[0].jobs.at(0).inputs.at(0).outputs.at(0), input) << "not copied";
}

TEST_F(HostsTest, NewSessionOfAHostEndsItsOldOne) {
  say(1, hello_of("a", 7));
  const auto up = only<scheduler::HostUp>(commit());

  const auto gone = only<scheduler::HostGone>(say(2, hello_of("a", 8)));

  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].host, up[0].host);
  EXPECT_THAT(say(1, wire::JobStatuses{7, {{.job = 1}}}), IsEmpty()) << "a status of the old session counts";
  ASSERT_EQ(end.all<wire::HelloPlease>(1).size(), 1u);
  EXPECT_EQ(end.all<wire::HelloPlease>(1)[0].session, 7u);
}

TEST_F(HostsTest, HelloOfANamesakeLeavesTheJobsOfTheOtherAlone) {
  say(1, hello_of("a", 7, 1));
  const auto up = only<scheduler::HostUp>(commit());

  EXPECT_THAT(say(2, hello_of("a", 8, 2)), IsEmpty()) << "it is taken for the first one's word";
  EXPECT_TRUE(is_up(commit()));

  EXPECT_EQ(hosts->sessions().size(), 2u);
  EXPECT_EQ(store.recorded.size(), 2u) << "each has a lease of its own";
  EXPECT_EQ(only<scheduler::Status>(say(1, wire::JobStatuses{7, {{.job = 1}}})).size(), 1u);
}

TEST_F(HostsTest, NamesakeIsNotTheReturnOfARecordedHost) {
  start({{.host = "a@0000000000000001"}});

  say(1, hello_of("a", 7, 2));
  EXPECT_FALSE(is_up(commit())) << "jobs of the recorded one may still run";

  say(2, hello_of("a", 8, 1));
  EXPECT_TRUE(is_up(commit()));
}

TEST_F(HostsTest, SessionIsBoundToItsConnection) {
  say(1, hello_of("a", 7));
  commit();

  EXPECT_THAT(say(2, wire::JobStatuses{7, {{.job = 1}}}), IsEmpty());
  EXPECT_EQ(end.all<wire::HelloPlease>(2).size(), 1u);
}

TEST_F(HostsTest, GoodbyeAndHelloInOneBreathLeaveTheLeaseRecorded) {
  say(1, hello_of("a", 7));
  commit();

  say(1, wire::HostGoodbye{7});
  say(1, hello_of("a", 8));
  EXPECT_TRUE(is_up(commit()));

  ASSERT_EQ(store.recorded.size(), 1u);
  EXPECT_EQ(store.recorded[0].session, 8u);
}

TEST_F(HostsTest, LostHostIsNotWaitedForByTheNextBroker) {
  say(1, hello_of("a", 7));
  const auto up = only<scheduler::HostUp>(commit());

  hosts->on_lost(up[0].host);
  commit();

  EXPECT_THAT(store.recorded, IsEmpty());
  say(1, wire::HostHeartbeat{.session = 7});
  EXPECT_EQ(end.all<wire::HelloPlease>(1).size(), 1u) << "it has to say hello anew";
}

TEST_F(HostsTest, DrainingBrokerTakesNoHello) {
  say(1, hello_of("a", 7));
  commit();

  hosts->drain_all();
  say(1, wire::HostGoodbye{7});
  say(1, hello_of("a", 8));

  EXPECT_EQ(end.all<wire::DrainHost>(1).size(), 1u);
  EXPECT_TRUE(hosts->none());
}

TEST_F(HostsTest, HostsBeyondTheLimitAreNotTakenAndSilentOnesMakeRoom) {
  for (std::size_t i = 0; i <= Hosts::sessions_max; ++i)
    say(static_cast<wire::PeerId>(i + 1), hello_of("h" + std::to_string(i), i + 1));
  EXPECT_EQ(hosts->sessions().size(), Hosts::sessions_max);

  now_ns += lease_ns + kill_ns + 1;  // none of them was brought up, and none has spoken since
  step();

  EXPECT_TRUE(hosts->none());
}

}  // namespace
}  // namespace cape::broker
