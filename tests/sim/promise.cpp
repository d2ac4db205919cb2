#include "tests/sim/promise.hpp"

namespace cape::scheduler {

const char* name_of(Promise promise) {
  switch (promise) {
    case Promise::order:
      return "order";
    case Promise::after:
      return "after";
    case Promise::fence:
      return "fence";
    case Promise::cursor:
      return "cursor";
    case Promise::acts:
      return "acts";
    case Promise::bounds:
      return "bounds";
    case Promise::stuck:
      return "stuck";
    case Promise::told:
      return "told";
    case Promise::spin:
      return "spin";
    case Promise::isolation:
      return "isolation";
    case Promise::data:
      return "data";
    case Promise::drain:
      return "drain";
    case Promise::ping:
      return "ping";
  }
  return "unknown";
}

int exit_code_of(Promise promise) {
  return 10 + static_cast<int>(promise);
}

}  // namespace cape::scheduler
