// Crashes while the library is being loaded, before anything asked for it.
#include <cape/lambda.hpp>

namespace {

struct Crash {
  Crash() {
    volatile int* volatile nowhere = nullptr;  // a store the optimiser may not drop
    *nowhere = 1;
  }
};
const Crash crash_at_load;

struct Guest {
  cape::Outcome operator()(const cape::Event&) { return cape::Outcome::ok(); }
};

}  // namespace

CAPE_LAMBDA(Guest, "crash_ctor", "1.0.0")
