#include "host/child/responses.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/types.hpp"

namespace cape::child {
namespace {

constexpr std::size_t layers_bytes_max = 2048;

std::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::protocol, fmt::format("{} is malformed", what));
}

}  // namespace

bool is_lambda_status(OutcomeKind kind) {
  // Only what outcome_of_plugin_status leaves as it is; an unknown number became FAILED in the runner.
  return outcome_of_plugin_status(static_cast<std::int32_t>(kind)) == kind;
}

std::string reason_text(std::string_view text, OutcomeKind kind) {
  if (!text.empty()) return printable(text, reason_bytes_max);
  return is_done(kind) ? std::string() : fmt::format("returned {} without a reason", name_of(kind));
}

Result<ChildReady> read_ready(Bytes body) {
  BodyReader reader(body);
  ReadyFrame f;
  std::string_view layers, missing, id, version;
  if (!reader.read(f) || !reader.read_text(f.layers_bytes, layers) ||
      !reader.read_text(f.missing_bytes, missing) || !reader.read_text(f.id_bytes, id) ||
      !reader.read_text(f.version_bytes, version))
    return malformed("ready frame: its length");
  if (f.level < 'A' || f.level > 'D') return malformed("ready frame: its sandbox level");
  if (!is_name(id)) return malformed("ready frame: its plugin id");
  ChildReady ready;
  ready.sandbox.level = static_cast<char>(f.level);
  ready.sandbox.layers = printable(layers, layers_bytes_max);
  ready.sandbox.missing = printable(missing, layers_bytes_max);
  ready.manifest = {.id = std::string(id),
                    .version = printable(version, sizeof(char[32])),
                    .kinds = f.kinds,
                    .wants = f.wants,
                    .abi_major = f.abi_major,
                    .abi_minor = f.abi_minor,
                    .abi_min_minor = f.abi_min_minor,
                    .lambda_flags = f.lambda_flags,
                    .has_flush = f.has_flush != 0,
                    .has_batch = f.has_batch != 0};
  return ready;
}

Result<OutputView> read_output(Bytes body) {
  BodyReader reader(body);
  OutputView view;
  if (!reader.read(view.frame) || !reader.read_text(view.frame.output_bytes, view.output))
    return malformed("output frame: its length");
  return view;
}

Result<JobDoneView> read_job_done(Bytes body) {
  BodyReader reader(body);
  JobDoneView view;
  if (!reader.read(view.frame) || !reader.read_text(view.frame.text_bytes, view.text))
    return malformed("job frame: its length");
  if (!is_lambda_status(static_cast<OutcomeKind>(view.frame.end))) return malformed("job frame: its status");
  if (view.frame.fault > static_cast<std::uint32_t>(LambdaFault::output_lost))
    return malformed("job frame: its fault");
  return view;
}

Result<ChildLog> read_log(Bytes body) {
  BodyReader reader(body);
  LogFrame f;
  std::string_view text;
  if (!reader.read(f) || !reader.read_text(f.text_bytes, text)) return malformed("log frame: its length");
  return ChildLog{
      .severity = std::clamp(f.severity, 0, 3), .text = printable(text, log_bytes_max), .dropped = f.dropped};
}

Result<MetricView> read_metric(Bytes body) {
  BodyReader reader(body);
  MetricView view;
  if (!reader.read(view.frame) || !reader.read_text(view.frame.name_bytes, view.name))
    return malformed("metric frame: its length");
  if (view.name.empty() || view.name.size() > metric_name_bytes_max ||
      printable(view.name, view.name.size()) != view.name)
    return malformed("metric frame: its name");
  if (view.frame.kind > 1) return malformed("metric frame: its kind");
  return view;
}

Result<SourcePing> read_source_ping(Bytes body) {
  BodyReader reader(body);
  SourcePingFrame f;
  std::string_view subject;
  if (!reader.read(f) || !reader.read_text(f.subject_bytes, subject))
    return malformed("ping frame: its length");
  if (!subject_mistake(subject).empty()) return malformed("ping frame: its subject");
  return SourcePing{.subject = std::string(subject), .hint = std::max<Sequence>(f.hint, 0)};
}

}  // namespace cape::child
