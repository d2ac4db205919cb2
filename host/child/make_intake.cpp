#include "host/child/intake.hpp"

namespace cape::child {

// A file of its own: whoever brings other ports links no child.
Result<std::unique_ptr<Intake>> make_intake(IntakeOptions options) {
  const InspectorOptions inspector{.require_level = options.require_level, .life_fd = options.life_fd};
  return make_intake(std::move(options), IntakePorts{.inspector = make_child_inspector(inspector),
                                                     .clock = std::make_unique<SystemClock>()});
}

}  // namespace cape::child
