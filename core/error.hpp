// core/error.hpp
// What went wrong outside our own code, as a value: Result<T> is a T or an Error. An Error's message is a
// sentence that names the thing and the next step; the first cause is kept. CAPE_CHECK is for our own bugs
// alone, never for bytes that came from a peer, a child or a file.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace cape {

enum class ErrorCode : std::uint8_t {
  invalid,      // the caller's input is malformed
  not_found,    // the named thing does not exist
  unavailable,  // full or not there now: try again later
  limit,        // over a stated limit
  conflict,     // held by somebody else, or already so
  io,           // the operating system or a library failed
  protocol,     // a peer or a child broke its contract
};

const char* name_of(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// The same with ": " and the text of errno value `saved_errno` behind it.
std::unexpected<Error> fail_errno(ErrorCode code, std::string message, int saved_errno);

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace cape

#define CAPE_CHECK(condition) \
  ((condition) ? (void)0 : ::cape::check_failed(#condition, __FILE__, __LINE__))
