// wire/codec/outputs.hpp
// Outputs of lambdas, in statuses and in jobs: an array of binaries, empty for none.
#pragma once

#include <string_view>
#include <vector>

#include "core/event.hpp"
#include "wire/codec/reader.hpp"
#include "wire/codec/writer.hpp"

namespace cape::wire {

void write(Writer& to, const std::vector<OutputPtr>& outputs);
// At most events_per_job_max, each of at most output_bytes_ceiling.
std::vector<OutputPtr> read_outputs(Reader& from, std::string_view field);

}  // namespace cape::wire
