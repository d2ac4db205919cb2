// broker/recording.hpp
// A recording is the scheduler's life on file: (now, inputs) of every step, as msgpack, one object after the
// other. Replayed through a scheduler with the same plan and epoch it gives the same actions, so what a
// broker decided can be looked at again on another machine.
//
//   file   = ["cape-recording", 5, epoch] step...
//   step   = [boot_ns, wall_ns, [input...]]
//   input  = [type, fields...], in the order of scheduler/messages.hpp
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "broker/scheduler/messages.hpp"
#include "core/error.hpp"

namespace cape::broker {

class Recorder {
 public:
  static Result<std::unique_ptr<Recorder>> open(const std::string& file, std::uint32_t epoch);
  virtual ~Recorder() = default;
  // A full disk ends the recording with a log line; the broker goes on.
  virtual void record(Now now, std::span<const scheduler::Input> inputs) = 0;
};

struct RecordedStep {
  Now now;
  std::vector<scheduler::Input> inputs;
};
struct Recording {
  std::uint32_t epoch = 0;
  std::vector<RecordedStep> steps;
};
// An incomplete last step, left by a kill, is cut off.
Result<Recording> read_recording(const std::string& file);

}  // namespace cape::broker
