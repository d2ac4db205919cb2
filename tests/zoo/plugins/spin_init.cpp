// Never gets out of its constructor.
#include <cape/lambda.hpp>

namespace {

struct Guest {
  Guest() {
    for (volatile bool forever = true; forever;) continue;
  }
  cape::Outcome operator()(const cape::Event&) { return cape::Outcome::ok(); }
};

}  // namespace

CAPE_LAMBDA(Guest, "spin_init", "1.0.0")
