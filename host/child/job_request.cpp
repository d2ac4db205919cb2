#include "host/child/job_request.hpp"

#include "host/child/frames.hpp"

namespace cape::child {
namespace {

std::uint64_t bytes_of(const OutputPtr& output) {
  return output ? output->size() : 0;
}

std::string_view text_of(const OutputPtr& output) {
  return output ? std::string_view(*output) : std::string_view();
}

std::uint64_t base_bytes(const wire::RunJob& job) {
  std::uint64_t bytes = sizeof(RunJobFrame) + job.subject.size();
  for (const wire::JobInput& input : job.inputs) bytes += sizeof(InputRow) + input.lambda.size();
  return bytes;
}

// Writes rows in front and the bytes that they point to behind.
class JobWriter {
 public:
  JobWriter(const RunJobFrame& frame, std::uint8_t* at)
      : rows_(at),
        bytes_(at + sizeof frame + frame.count * sizeof(EventRow) +
               frame.input_count * (1 + std::uint64_t{frame.count}) * sizeof(InputRow)) {
    rows_.write(frame);
  }

  void subject(std::string_view text) { place(text); }
  void event(const EventBlock& block, const EventBlock::Entry& e) {
    EventRow row{.sequence = e.sequence,
                 .time_ns = e.time_ns,
                 .type_offset = offset_,
                 .payload_offset = offset_ + e.type_bytes,
                 .payload_bytes = e.payload_bytes,
                 .type_bytes = e.type_bytes,
                 .reserved = 0};
    rows_.write(row);
    place(block.type_of(e));
    place(block.payload_of(e));
  }
  void input(std::string_view text) {
    rows_.write(InputRow{.offset = offset_, .bytes = static_cast<std::uint32_t>(text.size())});
    place(text);
  }

 private:
  void place(std::string_view text) {
    bytes_.write_text(text);
    offset_ += static_cast<std::uint32_t>(text.size());
  }

  BodyWriter rows_, bytes_;
  std::uint32_t offset_ = 0;
};

}  // namespace

std::uint64_t event_body_bytes(const wire::RunJob& job, std::uint32_t index) {
  const EventBlock::Entry& e = job.events[index];
  std::uint64_t bytes = sizeof(EventRow) + e.type_bytes + e.payload_bytes;
  for (const wire::JobInput& input : job.inputs) bytes += sizeof(InputRow) + bytes_of(input.outputs[index]);
  return bytes;
}

Fit fit_events(const wire::RunJob& job, std::uint64_t body_max) {
  Fit fit{.body_bytes = base_bytes(job)};
  for (; fit.count < job.events.count; ++fit.count) {
    const std::uint64_t more = event_body_bytes(job, fit.count);
    if (fit.body_bytes + more > body_max) break;
    fit.body_bytes += more;
  }
  return fit;
}

void write_run_job(const wire::RunJob& job, const JobRequest& request, std::uint8_t* at) {
  const RunJobFrame frame{
      .job = job.job,
      .first_number = request.first_number,
      .outputs_bytes_max = job.outputs_bytes_max,
      .attempt = job.attempt,
      .flags = (job.may_repeat ? job_may_repeat : 0u) | (request.singly ? job_singly : 0u) |
               (job.late ? job_late : 0u),
      .count = request.count,
      .subject_bytes = static_cast<std::uint32_t>(job.subject.size()),
      .input_count = static_cast<std::uint32_t>(job.inputs.size()),
      .reserved = 0};
  JobWriter writer(frame, at);
  writer.subject(job.subject);
  for (std::uint32_t i = 0; i < frame.count; ++i) writer.event(*job.events.block, job.events[i]);
  for (const wire::JobInput& input : job.inputs) writer.input(input.lambda);
  for (std::uint32_t i = 0; frame.input_count > 0 && i < frame.count; ++i)
    for (const wire::JobInput& input : job.inputs) writer.input(text_of(input.outputs[i]));
}

}  // namespace cape::child
