// Decoders of response frames. Their bytes were written by a process that may lie: every length is checked,
// every text made printable before it can reach a person. Views point into the frame. Error::protocol names
// the frame and the field. Pure.
#pragma once

#include <span>
#include <string_view>

#include "core/error.hpp"
#include "host/child/frames.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/source_child.hpp"

namespace cape::child {

using Bytes = std::span<const std::uint8_t>;

struct OutputView {
  OutputFrame frame;
  std::string_view output;
};
struct JobDoneView {
  JobDoneFrame frame;
  std::string_view text;  // as the plugin gave it
};
struct MetricView {
  MetricFrame frame;
  std::string_view name;  // printable
};

Result<ChildReady> read_ready(Bytes body);
Result<OutputView> read_output(Bytes body);
Result<JobDoneView> read_job_done(Bytes body);  // `end` is a status that a lambda may have
Result<ChildLog> read_log(Bytes body);
Result<MetricView> read_metric(Bytes body);
Result<SourcePing> read_source_ping(Bytes body);  // its subject is well-formed

// A plugin's words on its own outcome, or the default text when it gave none.
std::string reason_text(std::string_view text, OutcomeKind kind);
bool is_lambda_status(OutcomeKind kind);

}  // namespace cape::child
