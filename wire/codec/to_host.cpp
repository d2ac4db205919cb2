// Messages of a broker to a host.
#include "wire/codec.hpp"
#include "wire/codec/outputs.hpp"
#include "wire/codec/reader.hpp"
#include "wire/codec/writer.hpp"

namespace cape::wire {
namespace {

constexpr std::size_t job_fields = 13;

void write(Writer& to, const EventRange& events) {
  to.array(events.count);
  for (std::uint32_t i = 0; i < events.count; ++i) {
    const EventBlock::Entry& event = events[i];
    to.array(4).integer(event.sequence).integer(event.time_ns);
    to.remark(events.block->type_of(event), type_bytes_max).binary(events.block->payload_of(event));
  }
}

// A job's events are consecutive ones of what a query proved, so they prove the stretch from first to last.
EventRange read_events(Reader& from) {
  const std::size_t count = from.list("jobs[].events", events_per_job_max);
  if (count == 0) from.refuse("jobs[].events", "a job has at least one event");
  auto block = std::make_shared<EventBlock>();
  Sequence last = 0;
  for (std::size_t i = 0; i < count && from.ok(); ++i) {
    from.array("jobs[].events[]", 4);
    const auto sequence = from.integer<Sequence>("jobs[].events[].sequence", 1);
    const auto time_ns = from.integer<std::int64_t>("jobs[].events[].time_ns");
    const std::string_view type = from.text_view("jobs[].events[].type", type_bytes_max);
    const std::string_view payload = from.binary("jobs[].events[].payload", payload_bytes_ceiling);
    if (sequence <= last) from.refuse("jobs[].events[].sequence", "does not rise");
    if (!from.ok()) break;
    block->add(sequence, time_ns, type, payload);
    last = sequence;
  }
  if (!block->entries.empty()) block->proven_from = block->entries.front().sequence;
  block->proven_to = last;
  return {std::move(block), 0, static_cast<std::uint32_t>(count)};
}

void write(Writer& to, const RunJob& job) {
  to.array(job_fields)
      .integer(job.job)
      .integer(job.lambda)
      .text(job.plugin)
      .text(job.hash)
      .integer(job.subject_id);
  to.text(job.subject).integer(job.attempt).flag(job.may_repeat).flag(job.late).integer(job.ping_ns);
  write(to, job.events);
  to.integer(job.outputs_bytes_max).array(job.inputs.size());
  for (const JobInput& input : job.inputs) write(to.array(2).text(input.lambda), input.outputs);
}

std::vector<JobInput> read_inputs(Reader& from, std::size_t events) {
  std::vector<JobInput> inputs(from.list("jobs[].inputs", inputs_per_job_max));
  for (JobInput& input : inputs) {
    from.array("jobs[].inputs[]", 2);
    input.lambda = from.text("jobs[].inputs[].lambda", name_bytes_max);
    input.outputs = read_outputs(from, "jobs[].inputs[].outputs");
    if (input.outputs.size() != events)
      from.refuse("jobs[].inputs[].outputs", "not one for each event of the job");
  }
  return inputs;
}

RunJob read_job(Reader& from) {
  RunJob job;
  from.array("jobs[]", job_fields);
  job.job = from.integer<JobId>("jobs[].job", 1);
  job.lambda = from.integer<LambdaIndex>("jobs[].lambda");
  job.plugin = from.text("jobs[].plugin", name_bytes_max);
  job.hash = from.text("jobs[].hash", hash_bytes_max);
  job.subject_id = from.integer<SubjectId>("jobs[].subject_id", 1);
  job.subject = from.text("jobs[].subject", subject_bytes_max);
  if (const auto mistake = subject_mistake(job.subject); !mistake.empty())
    from.refuse("jobs[].subject", mistake);
  job.attempt = from.integer<std::uint32_t>("jobs[].attempt");
  job.may_repeat = from.flag("jobs[].may_repeat");
  job.late = from.flag("jobs[].late");
  job.ping_ns = from.integer<std::int64_t>("jobs[].ping_ns", 0);
  job.events = read_events(from);
  job.outputs_bytes_max = from.integer<std::uint64_t>("jobs[].outputs_bytes_max");
  job.inputs = read_inputs(from, job.events.count);
  return job;
}

std::string bytes_of(const BrokerWelcome& message) {
  Writer to = Writer::message(MessageType::broker_welcome, 3);
  return to.integer(message.epoch).integer(message.session).integer(message.lease_ms).take();
}

BrokerWelcome read_welcome(Reader& from) {
  from.fields("broker_welcome", 3);
  BrokerWelcome message;
  message.epoch = from.integer<std::uint32_t>("epoch", 1);
  message.session = from.integer<SessionId>("session", 1);
  message.lease_ms = from.integer<std::int64_t>("lease_ms", 1);
  return message;
}

std::string bytes_of(const RunJobs& message) {
  Writer to = Writer::message(MessageType::run_jobs, 2);
  to.integer(message.session).array(message.jobs.size());
  for (const RunJob& job : message.jobs) write(to, job);
  return to.take();
}

RunJobs read_jobs(Reader& from) {
  from.fields("run_jobs", 2);
  RunJobs message;
  message.session = from.integer<SessionId>("session", 1);
  message.jobs.resize(from.list("jobs", jobs_per_message_max));
  for (RunJob& job : message.jobs) {
    job = read_job(from);
    if (!from.ok()) break;
  }
  return message;
}

std::string bytes_of(const CancelJob& message) {
  return Writer::message(MessageType::cancel_job, 2).integer(message.session).integer(message.job).take();
}

CancelJob read_cancel(Reader& from) {
  from.fields("cancel_job", 2);
  CancelJob message;
  message.session = from.integer<SessionId>("session", 1);
  message.job = from.integer<JobId>("job", 1);
  return message;
}

std::string bytes_of(const HeartbeatAnswer& message) {
  return Writer::message(MessageType::heartbeat_answer, 2)
      .integer(message.session)
      .integer(message.sent_ns)
      .take();
}

HeartbeatAnswer read_answer(Reader& from) {
  from.fields("heartbeat_answer", 2);
  HeartbeatAnswer message;
  message.session = from.integer<SessionId>("session", 1);
  message.sent_ns = from.integer<std::int64_t>("sent_ns", 0);
  return message;
}

std::string bytes_of(const ServeVersions& message) {
  Writer to = Writer::message(MessageType::serve_versions, 2);
  to.integer(message.session).array(message.versions.size());
  for (const ServedVersion& version : message.versions)
    to.array(3).integer(version.lambda).text(version.hash).flag(version.newest);
  return to.take();
}

ServeVersions read_versions(Reader& from) {
  from.fields("serve_versions", 2);
  ServeVersions message;
  message.session = from.integer<SessionId>("session", 1);
  message.versions.resize(from.list("versions", lambdas_per_host_max));
  for (ServedVersion& version : message.versions) {
    from.array("versions[]", 3);
    version.lambda = from.integer<LambdaIndex>("versions[].lambda");
    version.hash = from.text("versions[].hash", hash_bytes_max);
    version.newest = from.flag("versions[].newest");
    if (!from.ok()) break;
  }
  return message;
}

std::string bytes_of(const HelloPlease& message) {
  return Writer::message(MessageType::hello_please, 1).integer(message.session).take();
}
std::string bytes_of(const HostPins& message) {
  Writer to = Writer::message(MessageType::host_pins, 2);
  to.integer(message.session).array(message.pins.size());
  for (const PluginPin& pin : message.pins)
    to.array(3).text(pin.plugin).remark(pin.version, version_bytes_max).text(pin.hash);
  return to.take();
}

HostPins read_pins(Reader& from) {
  from.fields("host_pins", 2);
  HostPins message;
  message.session = from.integer<SessionId>("session", 1);
  message.pins.resize(from.list("pins", pins_per_message_max));
  for (PluginPin& pin : message.pins) {
    from.array("pins[]", 3);
    pin.plugin = from.text("pins[].plugin", name_bytes_max);
    pin.version = from.text("pins[].version", version_bytes_max);
    pin.hash = from.text("pins[].hash", hash_bytes_max);
    if (pin.version.empty() == pin.hash.empty()) from.refuse("pins[]", "a version or a hash, not both");
    if (!from.ok()) break;
  }
  return message;
}

std::string bytes_of(const DrainHost&) {
  return Writer::message(MessageType::drain_host, 0).take();
}

}  // namespace

std::string encode(const ToHost& message) {
  return std::visit([](const auto& one) { return bytes_of(one); }, message);
}

Result<ToHost> decode_to_host(std::string_view bytes) {
  Reader from(bytes);
  const auto finish = [&](ToHost message) { return from.finish(std::move(message)); };
  switch (from.type()) {
    case MessageType::broker_welcome:
      return finish(read_welcome(from));
    case MessageType::run_jobs:
      return finish(read_jobs(from));
    case MessageType::cancel_job:
      return finish(read_cancel(from));
    case MessageType::heartbeat_answer:
      return finish(read_answer(from));
    case MessageType::hello_please:
      from.fields("hello_please", 1);
      return finish(HelloPlease{from.integer<SessionId>("session")});
    case MessageType::serve_versions:
      return finish(read_versions(from));
    case MessageType::drain_host:
      from.fields("drain_host", 0);
      return finish(DrainHost{});
    case MessageType::host_pins:
      return finish(read_pins(from));
    default:
      from.refuse("type", "not one that a broker sends to a host");
      return finish(HelloPlease{});
  }
}

}  // namespace cape::wire
