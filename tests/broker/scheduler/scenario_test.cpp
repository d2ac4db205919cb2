// Faults that the simulation found in the scheduler, each told as a story in scenarios/: what is stored, what
// the source, the hosts and the operators do, and what must come of it. scenarios/README.md has the words.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/scheduler/lambda_queues.hpp"
#include "tests/broker/scheduler/dag.hpp"

namespace cape::scheduler {
namespace {

using Words = std::vector<std::string>;

constexpr SubjectId subject_of_no_name = 7;

Words words_of(const std::string& line) {
  std::istringstream text(line.substr(0, line.find('#')));
  Words words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

Words parts_of(const std::string& text, char separator) {
  std::istringstream stream(text);
  Words parts;
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// Takes "of N" out of the line.
SubjectId take_subject(Words& words) {
  const auto of = std::ranges::find(words, "of");
  if (of == words.end()) return subject_of_no_name;
  const SubjectId subject = std::stoul(words.at(static_cast<std::size_t>(of - words.begin()) + 1));
  words.erase(of, of + 2);
  return subject;
}

class Scenario {
 public:
  // Empty: the line holds. Else what was wrong with it.
  std::string run(const std::string& line) {
    Words words = words_of(line);
    if (words.empty() || words[0] == "story") return {};
    wrong_.clear();
    try {
      subject_ = take_subject(words);
      const bool is_known = words[0] == "expect" ? expect(words) : act(words);
      return is_known ? wrong_ : "these are no words of a scenario";
    } catch (const std::exception& error) {  // of vector::at and std::stoll
      return fmt::format("cannot be read: {}", error.what());
    }
  }
  std::string trace() const { return w_ ? w_->trace : ""; }

 private:
  bool act(const Words& words) {
    const std::string& verb = words[0];
    if (verb == "topology") return add(words), true;
    if (verb == "limit") return set_limit(words), true;
    if (verb == "stored") return store(words), true;
    if (verb == "life") return live(std::stoul(words.at(1))), true;
    if (!w_) return wrong_ = "no life of the broker has begun", true;
    if (verb == "host") return host(words), true;
    if (verb == "earlier") return w_->go({EarlierJobs{.may_run = words.at(2) == "run"}}), true;
    if (verb == "source") return have(words), true;
    if (verb == "read") return read(words), true;
    if (verb == "wait") return w_->wait(std::stoll(words.at(1)) * second), true;
    if (verb == "operator") return operate(words), true;
    if (verb == "all") return end_all(), true;
    return verb.find('/') != std::string::npos && end_job(words);
  }

  bool expect(const Words& words) {
    if (words.at(1) == "no") return expect_no_job(words), true;
    if (words[1] == "job") return expect_job(words), true;
    if (words[1] == "stored") return expect_stored(words), true;
    if (words[1] == "late" && words.size() > 3) return expect_late(words), true;
    if (words[1] == "act") return expect_act(words.at(2)), true;
    return expect_view(words), true;
  }

  // ---- what there is

  void add(const Words& words) {
    const auto colon = std::ranges::find(words, ":");
    Words lambdas;
    std::vector<Words> needs;
    for (const std::string& word : std::ranges::subrange(std::next(colon), words.end())) {
      const std::size_t arrow = word.find("<-");
      lambdas.push_back(word.substr(0, arrow));
      needs.push_back(arrow == std::string::npos ? Words{} : parts_of(word.substr(arrow + 2), ','));
    }
    TopologySpec& topology = add_topology(plan_, words.at(1), lambdas);
    topology.retry = {.first_ms = 1000, .factor = 1, .max_ms = 1000};
    for (auto word = words.begin() + 2; word != colon; ++word) {
      if (*word == "pipelined") topology.mode = Mode::pipelined;
      if (*word == "late=run") topology.late = Late::run;
      if (word->starts_with("batch=")) topology.batch_events = std::stoul(word->substr(6));
      if (word->starts_with("after="))
        for (const std::string& earlier : parts_of(word->substr(6), ','))
          topology.after.push_back(topology_called(earlier));
    }
    for (std::size_t i = 0; i < needs.size(); ++i)
      for (const std::string& needed : needs[i])
        plan_.lambdas[topology.first_lambda + i].needs.push_back(
            topology.first_lambda +
            static_cast<LambdaIndex>(std::ranges::find(lambdas, needed) - lambdas.begin()));
  }

  void set_limit(const Words& words) {
    const double room = std::stod(words.at(2));
    if (words[1] == "waiting")
      plan_.waiting_bytes_max = static_cast<std::size_t>(room * static_cast<double>(bytes_of(*run_of(1, 1))));
    else if (words[1] == "outputs")
      plan_.outputs_bytes_max = static_cast<std::uint64_t>(room * (1u << 20));
    else
      throw std::out_of_range("there is no such limit");
  }

  TopologyIndex topology_called(const std::string& name) const {
    const auto at = std::ranges::find(plan_.topologies, name, &TopologySpec::name);
    if (at == plan_.topologies.end()) throw std::out_of_range("there is no topology " + name);
    return static_cast<TopologyIndex>(at - plan_.topologies.begin());
  }

  // Of a record in which each topology of the plan has its place, unless it is left out at `without`.
  storage::LambdaCursor& stored_lambda(const std::string& name) {
    const Words parts = parts_of(name, '/');
    storage::CursorInfo& info = store_[subject_];
    auto topology = std::ranges::find(info.topologies, parts.at(0), &storage::TopologyCursor::topology);
    if (topology == info.topologies.end()) {
      storage::TopologyCursor fresh{.topology = parts[0], .lambdas = {}};
      const TopologySpec& spec = plan_.topologies[topology_called(parts[0])];
      for (std::uint32_t i = 0; i < spec.lambda_count; ++i)
        fresh.lambdas.emplace_back().lambda = plan_.lambdas[spec.first_lambda + i].name;
      topology = info.topologies.insert(info.topologies.end(), std::move(fresh));
    }
    const auto lambda = std::ranges::find(topology->lambdas, parts.at(1), &storage::LambdaCursor::lambda);
    if (lambda == topology->lambdas.end()) throw std::out_of_range("there is no lambda " + name);
    return *lambda;
  }

  void store(const Words& words) {
    if (words.at(1) == "latest") {
      store_[subject_].latest = std::stoll(words.at(2));
      return;
    }
    storage::LambdaCursor& lambda = stored_lambda(words[1]);
    lambda.cursor = std::stoll(words.at(2));
    if (words.size() == 3) return;
    lambda.attempts = 1;
    lambda.parked = words[3] == "parked";
    lambda.failed_sequence = std::stoll(words.at(4));
    lambda.failing_since_wall_ns = words.size() > 6 ? std::stoll(words[6]) * second : 0;
    lambda.reason = "FAILED: no";
  }

  void live(std::uint32_t epoch) {
    const Now now = w_ ? w_->now : World().now;
    if (w_) store_ = w_->store;
    auto next = std::make_unique<Dag>(plan_, epoch);
    for (LambdaIndex i = 0; i < plan_.lambdas.size(); ++i)
      next->names[i] =
          fmt::format("{}/{}", plan_.topologies[plan_.lambdas[i].topology].name, plan_.lambdas[i].name);
    next->now = now;
    next->store = store_;
    if (w_) next->latest = w_->latest, next->events = w_->events, next->in_parts = w_->in_parts;
    w_ = std::move(next);
    host_ = 0;
  }

  void have(const Words& words) {
    const Sequence latest = w_->latest[subject_] = std::stoll(words.at(1));
    if (words.back() == "parts") w_->in_parts.insert(subject_);
    const Sequence hidden = words.size() > 2 && words[2] == "without" ? std::stoll(words.at(3)) : 0;
    std::vector<Sequence> shown;
    for (Sequence at = 1; at <= latest; ++at)
      if (at != hidden) shown.push_back(at);
    w_->events[subject_] = block(1, latest, shown);
  }

  // ---- what happens

  void host_up() {
    std::vector<Input> inputs{HostUp{.host = ++host_, .name = fmt::format("h{}", host_)}};
    for (LambdaIndex lambda = 0; lambda < w_->lambda_count; ++lambda)
      inputs.push_back(
          Credit{.host = host_, .lambda = lambda, .jobs_max = 64, .hash = "hash", .trouble = {}});
    w_->go(std::move(inputs));
  }
  void host(const Words& words) {
    if (words.size() == 1) return host_up();
    if (words[1] == "lost") {
      w_->go({HostGone{.host = host_}});
      return w_->jobs.clear();
    }
    const IssueJob* job = w_->find(words.at(2), subject_);
    if (job == nullptr) return void(wrong_ = "no job of it is out");
    w_->go({Heartbeat{.host = host_, .running = {{.job = job->job, .sequence = std::stoll(words.at(3))}}}});
  }

  void read(const Words& words) {
    if (words.size() == 1) return w_->go(w_->answers(subject_));
    if (words[1] == "fails") return w_->go({ReadFailed{subject_}});
    if (words[1] != "unknown" && words[1] != "unreadable") return read_parts(words);
    SchedulingRequest request = w_->answer(subject_);
    if (words[1] == "unknown") {
      request = World::make_request(subject_, 0, nothing());
      request.gone = true;
    } else {
      const Sequence sequence = std::stoll(words.at(2));
      request.latest = sequence;
      request.block = block(sequence, sequence - 1, {});
      request.unreadable = "too large";
    }
    w_->go({request});
  }

  void read_parts(const Words& words) {
    const bool is_broken = words.back() == "broken";
    std::vector<EventBlockPtr> blocks;
    for (std::size_t i = 1; i < words.size() - is_broken; ++i) {
      const auto [from, to] = range_of(words[i]);
      blocks.push_back(run_of(from, to));
    }
    w_->go(w_->in_answers(subject_, blocks, is_broken));
  }

  static std::pair<Sequence, Sequence> range_of(const std::string& word) {
    const std::size_t dots = word.find("..");
    const Sequence from = std::stoll(word);
    return {from, dots == std::string::npos ? from : std::stoll(word.substr(dots + 2))};
  }

  void operate(const Words& words) {
    constexpr Act acts[] = {Act::pause, Act::resume, Act::park, Act::redrive, Act::skip, Act::rewind};
    const auto act = std::ranges::find(acts, words.at(1), [](Act one) { return std::string(name_of(one)); });
    if (act == std::end(acts)) throw std::out_of_range("there is no such act");
    const auto* record = w_->stored(subject_);
    w_->go({Command{.id = ++command_,
                    .act = *act,
                    .topology = topology_called(words.at(2)),
                    .subject = subject_,
                    .domain = 0,
                    .name = fmt::format("s{}", subject_),
                    .stored = record ? std::optional(*record) : std::nullopt,
                    .sequence = words.size() > 3 ? std::stoll(words[3]) : 0,
                    .reason = "because"}});
  }

  void end_all() {
    for (int jobs = 0; !w_->jobs.empty() && jobs < 1000; ++jobs) {
      const IssueJob job = w_->jobs.front();
      w_->done(w_->names[job.lambda], job.subject);
    }
  }

  bool end_job(const Words& words) {
    const std::string& how = words.at(1);
    if (w_->find(words[0], subject_) == nullptr) return wrong_ = "no job of it is out", true;
    if (how == "done") return w_->done(words[0], subject_), true;
    if (how == "fails") {
      const auto kind = words.at(3) == "retry" ? OutcomeKind::retry : OutcomeKind::failed;
      return w_->fails(words[0], std::stoll(words[2]), kind, subject_), true;
    }
    wire::JobStatus status = never_started(w_->take(words[0], subject_), OutcomeKind::cancelled);
    if (how == "died") {  // with a call of several events, so that no attempt of any counts
      status.end.kind = OutcomeKind::setup;
      status.started = true;
    } else if (how != "returned") {
      return false;
    }
    w_->go({Status{host_, status}});
    return true;
  }

  // ---- what must come of it

  void expect_job(const Words& words) {
    const IssueJob* job = w_->find(words.at(2), subject_);
    if (job == nullptr) {
      wrong_ = "no job of it is out";
      return;
    }
    const std::pair found{job->events.first_sequence(), job->events.last_sequence()};
    if (found != range_of(words.at(3)))
      wrong_ = fmt::format("its job is of {}..{}", found.first, found.second);
    else if (words.size() > 4 && !job->may_repeat)
      wrong_ = "it is issued as one of which nothing has run";
  }
  void expect_no_job(const Words& words) {
    const bool found = words.size() > 3 ? w_->find(words[3], subject_) != nullptr : !w_->jobs.empty();
    if (found) wrong_ = "a job is out";
  }
  void expect_stored(const Words& words) {
    store_ = w_->store;
    const storage::LambdaCursor& lambda = stored_lambda(words.at(2));
    if (lambda.cursor != std::stoll(words.at(3))) wrong_ = fmt::format("its cursor is {}", lambda.cursor);
    if (words.size() > 5 && lambda.failing_since_wall_ns != std::stoll(words[5]) * second)
      wrong_ = fmt::format("it fails since {}", lambda.failing_since_wall_ns);
  }
  void expect_late(const Words& words) {
    store_ = w_->store;
    std::vector<Sequence> told;
    for (const storage::LateEvent& event : stored_lambda(words.at(2)).late.events)
      told.push_back(event.sequence);
    const bool is_right =
        words.at(3) == "none" ? told.empty() : told == std::vector{Sequence{std::stoll(words[3])}};
    if (!is_right) wrong_ = fmt::format("of {} events it is told that they were late", told.size());
  }
  void expect_act(const std::string& how) {
    const auto done = std::ranges::find(w_->acts, command_, &CommandDone::id);
    const std::string found = done == w_->acts.end() ? "waits" : done->refusal.empty() ? "done" : "refused";
    if (found != how) wrong_ = fmt::format("it {}", found);
  }
  void expect_view(const Words& words) {
    const auto views = w_->scheduler.view(subject_, 0, w_->stored(subject_)).topologies;
    const TopologyView& view = views.at(topology_called(words.at(1)));
    if (words.at(2) == "stopped" || words[2] == "moves") {
      if (view.stopped != (words[2] == "stopped")) wrong_ = view.stopped ? "it is stopped" : "it is not";
    } else if (words[2] != name_of(view.state)) {
      wrong_ = fmt::format("it is {}", name_of(view.state));
    }
  }

  SchedulerPlan plan_;
  std::unique_ptr<Dag> w_;
  std::map<SubjectId, storage::CursorInfo> store_;
  SubjectId subject_ = subject_of_no_name;  // of the line
  HostId host_ = 0;
  std::uint64_t command_ = 0;
  std::string wrong_;
};

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(CAPE_SCENARIOS))
    if (entry.path().extension() == ".scenario") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class SchedulerScenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(SchedulerScenario, EndsAsItsStorySays) {
  std::ifstream file(GetParam());
  Scenario scenario;
  int number = 0, claims = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    claims += line.starts_with("expect ");
    const std::string wrong = scenario.run(line);
    ASSERT_TRUE(wrong.empty() && !HasFatalFailure())
        << wrong << "\n"
        << GetParam().string() << ":" << number << ": " << line << "\n"
        << scenario.trace();
  }
  EXPECT_GT(claims, 0) << GetParam() << " expects nothing";
}

INSTANTIATE_TEST_SUITE_P(Of, SchedulerScenario, testing::ValuesIn(scenario_files()),
                         [](const auto& scenario) {
                           std::string name = scenario.param.stem().string();
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace cape::scheduler
