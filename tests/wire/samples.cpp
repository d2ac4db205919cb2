#include "tests/wire/samples.hpp"

namespace cape::test {
namespace {

using namespace cape::wire;

std::string letters(std::size_t count) {
  return std::string(count, 'x');
}

PluginOffer widest_offer() {
  return {letters(name_bytes_max), letters(version_bytes_max), letters(hash_bytes_max),
          letters(file_bytes_max), false, UINT32_MAX, INT64_MAX, letters(name_bytes_max)};
}

JobStatus widest_status() {
  JobStatus status;
  status.job = UINT64_MAX;
  status.done_to = INT64_MAX - 1;
  status.events_done = events_per_job_max;
  status.end = {OutcomeKind::external_kill, letters(reason_bytes_max)};
  status.app_code = INT32_MIN;
  status.failed_sequence = INT64_MAX;
  status.started = true;
  status.first_start_ns = INT64_MAX;
  status.end_ns = INT64_MAX;
  return status;
}

// One each: of an event that gave something, and of one that gave nothing.
std::vector<OutputPtr> two_outputs() {
  return {std::make_shared<const std::string>("\xFF bytes"), nullptr};
}

JobStatus status_with_outputs() {
  JobStatus status{.job = 2, .done_to = 4, .events_done = 2, .end = {}};
  status.outputs = two_outputs();
  return status;
}

RunJob job_with_inputs() {
  RunJob job = run_job(2, 3);
  job.outputs_bytes_max = UINT64_MAX;
  job.inputs = {{.lambda = "thumbnail", .outputs = two_outputs()},
                {.lambda = letters(name_bytes_max), .outputs = {nullptr, nullptr}}};
  return job;
}

ChildReport widest_child() {
  ChildReport child;
  child.lambda = UINT32_MAX;
  child.plugin = letters(name_bytes_max);
  child.version = letters(version_bytes_max);
  child.hash = letters(hash_bytes_max);
  child.pid = INT32_MAX;
  child.level = 'A';
  child.layers = letters(layers_bytes_max);
  child.missing = letters(layers_bytes_max);
  child.restarts = UINT32_MAX;
  child.recycled = UINT32_MAX;
  child.cpu_ms = child.resident_bytes = UINT64_MAX;
  return child;
}

}  // namespace

EventRange events(std::uint32_t count, std::size_t payload_bytes) {
  auto block = std::make_shared<EventBlock>();
  block->proven_from = 1;
  block->add(1, 0, "before", "not of this job");
  for (std::uint32_t i = 0; i < count; ++i)
    block->add(10 + 2 * std::int64_t{i}, INT64_MIN + i, i % 2 ? "" : "type",
               std::string(payload_bytes, '\xFF'));
  block->add(INT64_MAX, 0, "behind", "nor this");
  block->proven_to = INT64_MAX;
  return {block, 1, count};
}

RunJob run_job(std::uint32_t event_count, std::size_t payload_bytes) {
  RunJob job;
  job.job = (7ull << 40) + 1;
  job.lambda = 3;
  job.plugin = "audit_log";
  job.hash = letters(hash_bytes_max);
  job.subject_id = UINT64_MAX;
  job.subject = "café";
  job.attempt = UINT32_MAX;
  job.may_repeat = true;
  job.late = true;
  job.ping_ns = INT64_MAX;
  job.events = events(event_count, payload_bytes);
  return job;
}

std::vector<Ping> pings() {
  return {{"history", "user/1", 0}, {letters(63), letters(subject_bytes_max), INT64_MAX}};
}

std::vector<PingReply> ping_replies() {
  return {{PingAnswer::acknowledged, ""},
          {PingAnswer::busy, "full"},
          {PingAnswer::refused, letters(reason_bytes_max)}};
}

std::vector<AdminRequest> admin_requests() {
  return {{"status", "{}"}, {letters(name_bytes_max), letters(admin_request_bytes_max)}};
}

std::vector<AdminReply> admin_replies() {
  return {{true, "{}"}, {false, letters(admin_reply_bytes_max)}};
}

std::vector<ToBroker> to_broker() {
  return {
      HostHello{"local", 1, 1, {}, {}},
      HostHello{letters(name_bytes_max),
                UINT64_MAX,
                UINT64_MAX,
                {{"d", "t", "l", "p"},
                 {letters(name_bytes_max), letters(name_bytes_max), letters(name_bytes_max),
                  letters(name_bytes_max), true}},
                {widest_offer(), {"a", "1", "h", "f"}},
                {{"zone", "eu"}, {letters(name_bytes_max), letters(label_bytes_max)}},
                UINT32_MAX},
      HostOffers{2, {widest_offer()}},
      HostCredit{3, 4, 5, "", "no such plugin"},
      HostCredit{UINT64_MAX, UINT32_MAX, UINT32_MAX, letters(hash_bytes_max), letters(reason_bytes_max)},
      JobStatuses{6, {}},
      JobStatuses{7, {widest_status(), {.job = 1, .end = {}}, status_with_outputs()}},
      HostHeartbeat{8, 9, {{10, 11}, {UINT64_MAX, INT64_MAX}}},
      HostGoodbye{12},
      HostReport{13,
                 {widest_child(), ChildReport{}},
                 {{letters(file_bytes_max), letters(hash_bytes_max), "why"}},
                 14,
                 15,
                 {{3, letters(metric_name_bytes_max), true, -0.5}, {0, "files", false, 1e300}}},
  };
}

std::vector<ToHost> to_host() {
  return {
      BrokerWelcome{UINT32_MAX, UINT64_MAX, INT64_MAX},
      RunJobs{1, {}},
      RunJobs{UINT64_MAX, {run_job(1, 0), run_job(3, 300), job_with_inputs()}},
      CancelJob{UINT64_MAX, UINT64_MAX},
      HeartbeatAnswer{1, 2},
      HelloPlease{},
      HelloPlease{UINT64_MAX},
      DrainHost{},
      HostPins{1, {}},
      HostPins{UINT64_MAX,
               {{letters(name_bytes_max), letters(version_bytes_max), ""},
                {"audit_log", "", letters(hash_bytes_max)}}},
      ServeVersions{1, {}},
      ServeVersions{UINT64_MAX, {{UINT32_MAX, letters(hash_bytes_max), false}, {0, "", true}}},
  };
}

}  // namespace cape::test
