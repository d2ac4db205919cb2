#include "wire/codec/outputs.hpp"

#include "wire/messages.hpp"

namespace cape::wire {

void write(Writer& to, const std::vector<OutputPtr>& outputs) {
  to.array(outputs.size());
  for (const OutputPtr& output : outputs) to.binary(output ? std::string_view(*output) : std::string_view());
}

std::vector<OutputPtr> read_outputs(Reader& from, std::string_view field) {
  std::vector<OutputPtr> outputs(from.list(field, events_per_job_max));
  for (OutputPtr& output : outputs) {
    const std::string_view bytes = from.binary(field, output_bytes_ceiling);
    if (!bytes.empty()) output = std::make_shared<const std::string>(bytes);
  }
  return outputs;
}

}  // namespace cape::wire
