#include "core/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cape {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid: return "invalid";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::limit: return "limit";
    case ErrorCode::conflict: return "conflict";
    case ErrorCode::io: return "io";
    case ErrorCode::protocol: return "protocol";
  }
  return "unknown";
}

std::unexpected<Error> fail_errno(ErrorCode code, std::string message, int saved_errno) {
  char text[128];
  message += ": ";
  message += strerror_r(saved_errno, text, sizeof text);
  return fail(code, std::move(message));
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "cape: internal error: CAPE_CHECK(%s) failed at %s:%d; please report it\n", condition,
               file, line);
  std::abort();
}

}  // namespace cape
