// host/child/violation.hpp
// What the author of a plugin can do instead of a system call that ended it. No grant allows such a call, so
// no advice speaks of one that would.
#pragma once

#include <string_view>

namespace cape::child {

// Half a sentence for the reason of a VIOLATION, for any number: it comes from the child.
std::string_view advice_on(int syscall);

}  // namespace cape::child
