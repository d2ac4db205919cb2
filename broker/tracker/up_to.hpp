// broker/tracker/up_to.hpp
// What a block proves up to a sequence: the block itself if it ends there or before, else a copy without the
// rest. Pure.
#pragma once

#include "core/event.hpp"

namespace cape::tracker {

// Requires: block is not null.
EventBlockPtr up_to(EventBlockPtr block, Sequence last);

}  // namespace cape::tracker
