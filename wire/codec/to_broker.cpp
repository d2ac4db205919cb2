// Messages of a host to its broker.
#include <bit>
#include <cmath>

#include "wire/codec.hpp"
#include "wire/codec/outputs.hpp"
#include "wire/codec/reader.hpp"
#include "wire/codec/writer.hpp"

namespace cape::wire {
namespace {

constexpr std::size_t offer_fields = 8;

// ---- parts of messages

void write(Writer& to, const std::vector<PluginOffer>& offers) {
  to.array(offers.size());
  for (const PluginOffer& offer : offers)
    to.array(offer_fields)
        .text(offer.id)
        .remark(offer.version, version_bytes_max)
        .text(offer.hash)
        .remark(offer.file, file_bytes_max)
        .flag(offer.serves)
        .integer(offer.wants)
        .integer(offer.since_wall_ns)
        .text(offer.signed_by);
}

std::vector<PluginOffer> read_offers(Reader& from) {
  std::vector<PluginOffer> offers(from.list("offers", offers_per_message_max));
  for (PluginOffer& offer : offers) {
    from.array("offers[]", offer_fields);
    offer.id = from.text("offers[].id", name_bytes_max);
    offer.version = from.text("offers[].version", version_bytes_max);
    offer.hash = from.text("offers[].hash", hash_bytes_max);
    offer.file = from.text("offers[].file", file_bytes_max);
    offer.serves = from.flag("offers[].serves");
    offer.wants = from.integer<std::uint32_t>("offers[].wants");
    offer.since_wall_ns = from.integer<std::int64_t>("offers[].since_wall_ns", 0);
    offer.signed_by = from.text("offers[].signed_by", name_bytes_max);
  }
  return offers;
}

void write(Writer& to, const std::vector<HostLambda>& lambdas) {
  to.array(lambdas.size());
  for (const HostLambda& lambda : lambdas)
    to.array(5)
        .text(lambda.domain)
        .text(lambda.topology)
        .text(lambda.name)
        .text(lambda.plugin)
        .flag(lambda.twin);
}

std::vector<HostLambda> read_lambdas(Reader& from) {
  std::vector<HostLambda> lambdas(from.list("lambdas", lambdas_per_host_max));
  for (HostLambda& lambda : lambdas) {
    from.array("lambdas[]", 5);
    lambda.domain = from.text("lambdas[].domain", name_bytes_max);
    lambda.topology = from.text("lambdas[].topology", name_bytes_max);
    lambda.name = from.text("lambdas[].name", name_bytes_max);
    lambda.plugin = from.text("lambdas[].plugin", name_bytes_max);
    lambda.twin = from.flag("lambdas[].twin");
  }
  return lambdas;
}

void write(Writer& to, const std::map<std::string, std::string>& labels) {
  to.array(labels.size());
  for (const auto& [name, value] : labels) to.array(2).text(name).text(value);
}

std::map<std::string, std::string> read_labels(Reader& from) {
  std::map<std::string, std::string> labels;
  for (std::size_t left = from.list("labels", labels_per_host_max); left > 0 && from.ok(); --left) {
    from.array("labels[]", 2);
    std::string name = from.text("labels[].name", name_bytes_max);
    std::string value = from.text("labels[].value", label_bytes_max);
    if (!labels.emplace(std::move(name), std::move(value)).second)
      from.refuse("labels[].name", "the same label twice");
  }
  return labels;
}

void write(Writer& to, const JobStatus& status) {
  to.array(11).integer(status.job).integer(status.done_to).integer(status.events_done);
  to.integer(static_cast<std::int32_t>(status.end.kind))
      .remark(status.end.reason, reason_bytes_max)
      .integer(status.app_code);
  to.integer(status.failed_sequence)
      .flag(status.started)
      .integer(status.first_start_ns)
      .integer(status.end_ns);
  write(to, status.outputs);
}

OutcomeKind read_kind(Reader& from) {
  const auto kind = static_cast<OutcomeKind>(from.integer<std::int32_t>("statuses[].end.kind"));
  if (name_of(kind) == std::string_view("UNKNOWN"))
    from.refuse("statuses[].end.kind", "no outcome has this number");
  return kind;
}

JobStatus read_status(Reader& from) {
  JobStatus status;
  from.array("statuses[]", 11);
  status.job = from.integer<JobId>("statuses[].job", 1);
  status.done_to = from.integer<Sequence>("statuses[].done_to", 0);
  status.events_done = from.integer<std::uint32_t>("statuses[].events_done", 0, events_per_job_max);
  status.end.kind = read_kind(from);
  status.end.reason = from.text("statuses[].end.reason", reason_bytes_max);
  status.app_code = from.integer<std::int32_t>("statuses[].app_code");
  status.failed_sequence = from.integer<Sequence>("statuses[].failed_sequence", 0);
  status.started = from.flag("statuses[].started");
  status.first_start_ns = from.integer<std::int64_t>("statuses[].first_start_ns", 0);
  status.end_ns = from.integer<std::int64_t>("statuses[].end_ns", 0);
  status.outputs = read_outputs(from, "statuses[].outputs");
  if (!status.outputs.empty() && status.outputs.size() != status.events_done)
    from.refuse("statuses[].outputs", "not one for each event that is done");
  return status;
}

void write(Writer& to, const ChildReport& child) {
  to.array(12)
      .integer(child.lambda)
      .text(child.plugin)
      .remark(child.version, version_bytes_max)
      .text(child.hash)
      .integer(child.pid);
  to.text({&child.level, 1})
      .remark(child.layers, layers_bytes_max)
      .remark(child.missing, layers_bytes_max)
      .integer(child.restarts)
      .integer(child.recycled)
      .integer(child.cpu_ms)
      .integer(child.resident_bytes);
}

char read_level(Reader& from) {
  const std::string_view level = from.text_view("children[].level", 1);
  if (level.size() == 1) return level[0];
  from.refuse("children[].level", "expected one letter");
  return '-';
}

ChildReport read_child(Reader& from) {
  ChildReport child;
  from.array("children[]", 12);
  child.lambda = from.integer<LambdaIndex>("children[].lambda");
  child.plugin = from.text("children[].plugin", name_bytes_max);
  child.version = from.text("children[].version", version_bytes_max);
  child.hash = from.text("children[].hash", hash_bytes_max);
  child.pid = from.integer<std::int32_t>("children[].pid", 0);
  child.level = read_level(from);
  child.layers = from.text("children[].layers", layers_bytes_max);
  child.missing = from.text("children[].missing", layers_bytes_max);
  child.restarts = from.integer<std::uint32_t>("children[].restarts");
  child.recycled = from.integer<std::uint32_t>("children[].recycled");
  child.cpu_ms = from.integer<std::uint64_t>("children[].cpu_ms");
  child.resident_bytes = from.integer<std::uint64_t>("children[].resident_bytes");
  return child;
}

SetAside read_set_aside(Reader& from) {
  SetAside file;
  from.array("set_aside[]", 3);
  file.file = from.text("set_aside[].file", file_bytes_max);
  file.hash = from.text("set_aside[].hash", hash_bytes_max);
  file.reason = from.text("set_aside[].reason", reason_bytes_max);
  return file;
}

LambdaMetric read_metric(Reader& from) {
  LambdaMetric metric;
  from.array("metrics[]", 4);
  metric.lambda = from.integer<LambdaIndex>("metrics[].lambda");
  metric.name = from.text("metrics[].name", metric_name_bytes_max);
  metric.is_gauge = from.flag("metrics[].is_gauge");
  metric.value = std::bit_cast<double>(from.integer<std::uint64_t>("metrics[].value"));
  if (!std::isfinite(metric.value)) from.refuse("metrics[].value", "expected a finite number");
  return metric;
}

// ---- messages

std::string bytes_of(const HostHello& message) {
  Writer to = Writer::message(MessageType::host_hello, 7);
  to.text(message.host).integer(message.home).integer(message.session);
  write(to, message.lambdas);
  write(to, message.offers);
  write(to, message.labels);
  return to.integer(message.jobs_max).take();
}

HostHello read_hello(Reader& from) {
  from.fields("host_hello", 7);
  HostHello message;
  message.host = from.text("host", name_bytes_max);
  message.home = from.integer<std::uint64_t>("home", 1);
  message.session = from.integer<SessionId>("session", 1);
  message.lambdas = read_lambdas(from);
  message.offers = read_offers(from);
  message.labels = read_labels(from);
  message.jobs_max = from.integer<std::uint32_t>("jobs_max");
  return message;
}

std::string bytes_of(const HostOffers& message) {
  Writer to = Writer::message(MessageType::host_offers, 2);
  to.integer(message.session);
  write(to, message.offers);
  return to.take();
}

HostOffers read_host_offers(Reader& from) {
  from.fields("host_offers", 2);
  HostOffers message;
  message.session = from.integer<SessionId>("session", 1);
  message.offers = read_offers(from);
  return message;
}

std::string bytes_of(const HostCredit& message) {
  Writer to = Writer::message(MessageType::host_credit, 5);
  to.integer(message.session).integer(message.lambda).integer(message.jobs_max).text(message.hash);
  return to.remark(message.trouble, reason_bytes_max).take();
}

HostCredit read_credit(Reader& from) {
  from.fields("host_credit", 5);
  HostCredit message;
  message.session = from.integer<SessionId>("session", 1);
  message.lambda = from.integer<LambdaIndex>("lambda");
  message.jobs_max = from.integer<std::uint32_t>("jobs_max");
  message.hash = from.text("hash", hash_bytes_max);
  message.trouble = from.text("trouble", reason_bytes_max);
  return message;
}

std::string bytes_of(const JobStatuses& message) {
  Writer to = Writer::message(MessageType::job_statuses, 2);
  to.integer(message.session).array(message.statuses.size());
  for (const JobStatus& status : message.statuses) write(to, status);
  return to.take();
}

JobStatuses read_statuses(Reader& from) {
  from.fields("job_statuses", 2);
  JobStatuses message;
  message.session = from.integer<SessionId>("session", 1);
  message.statuses.resize(from.list("statuses", statuses_per_message_max));
  for (JobStatus& status : message.statuses) status = read_status(from);
  return message;
}

std::string bytes_of(const HostHeartbeat& message) {
  Writer to = Writer::message(MessageType::host_heartbeat, 3);
  to.integer(message.session).integer(message.sent_ns).array(message.running.size());
  for (const RunningEvent& event : message.running) to.array(2).integer(event.job).integer(event.sequence);
  return to.take();
}

HostHeartbeat read_heartbeat(Reader& from) {
  from.fields("host_heartbeat", 3);
  HostHeartbeat message;
  message.session = from.integer<SessionId>("session", 1);
  message.sent_ns = from.integer<std::int64_t>("sent_ns", 0);
  message.running.resize(from.list("running", running_per_message_max));
  for (RunningEvent& event : message.running) {
    from.array("running[]", 2);
    event.job = from.integer<JobId>("running[].job", 1);
    event.sequence = from.integer<Sequence>("running[].sequence", 1);
  }
  return message;
}

std::string bytes_of(const HostGoodbye& message) {
  return Writer::message(MessageType::host_goodbye, 1).integer(message.session).take();
}

HostGoodbye read_goodbye(Reader& from) {
  from.fields("host_goodbye", 1);
  return {from.integer<SessionId>("session", 1)};
}

std::string bytes_of(const HostReport& message) {
  Writer to = Writer::message(MessageType::host_report, 6);
  to.integer(message.session).array(message.children.size());
  for (const ChildReport& child : message.children) write(to, child);
  to.array(message.set_aside.size());
  for (const SetAside& file : message.set_aside)
    to.array(3).remark(file.file, file_bytes_max).text(file.hash).remark(file.reason, reason_bytes_max);
  to.integer(message.child_starts).integer(message.crashes).array(message.metrics.size());
  for (const LambdaMetric& metric : message.metrics)
    to.array(4)
        .integer(metric.lambda)
        .remark(metric.name, metric_name_bytes_max)
        .flag(metric.is_gauge)
        .integer(std::bit_cast<std::uint64_t>(metric.value));
  return to.take();
}

HostReport read_report(Reader& from) {
  from.fields("host_report", 6);
  HostReport message;
  message.session = from.integer<SessionId>("session", 1);
  message.children.resize(from.list("children", children_per_message_max));
  for (ChildReport& child : message.children) child = read_child(from);
  message.set_aside.resize(from.list("set_aside", set_aside_per_message_max));
  for (SetAside& file : message.set_aside) file = read_set_aside(from);
  message.child_starts = from.integer<std::uint64_t>("child_starts");
  message.crashes = from.integer<std::uint64_t>("crashes");
  message.metrics.resize(from.list("metrics", metrics_per_message_max));
  for (LambdaMetric& metric : message.metrics) metric = read_metric(from);
  return message;
}

}  // namespace

std::string encode(const ToBroker& message) {
  return std::visit([](const auto& one) { return bytes_of(one); }, message);
}

Result<ToBroker> decode_to_broker(std::string_view bytes) {
  Reader from(bytes);
  const auto finish = [&](ToBroker message) { return from.finish(std::move(message)); };
  switch (from.type()) {
    case MessageType::host_hello:
      return finish(read_hello(from));
    case MessageType::host_offers:
      return finish(read_host_offers(from));
    case MessageType::host_credit:
      return finish(read_credit(from));
    case MessageType::job_statuses:
      return finish(read_statuses(from));
    case MessageType::host_heartbeat:
      return finish(read_heartbeat(from));
    case MessageType::host_goodbye:
      return finish(read_goodbye(from));
    case MessageType::host_report:
      return finish(read_report(from));
    default:
      from.refuse("type", "not one that a host sends to a broker");
      return finish(HostGoodbye{});
  }
}

}  // namespace cape::wire
