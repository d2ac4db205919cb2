// core/types.hpp
// The words of Cape as types. Everything here is a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cape {

using Sequence = std::int64_t;        // > 0 for an event; 0: before the first
using SubjectId = std::uint64_t;      // row id of a subject's cursor record; small and dense; 0: none
using JobId = std::uint64_t;          // also the fence: epoch << 40 + counter, so it only rises
using SessionId = std::uint64_t;      // one life of one host at one broker; 0: none
using DomainIndex = std::uint32_t;    // position in Config::domains
using TopologyIndex = std::uint32_t;  // position in Config::topologies
using LambdaIndex = std::uint32_t;    // position in the flat list of all lambdas of all topologies, in order

inline constexpr std::size_t subject_bytes_max = 255;
inline constexpr std::uint64_t payload_bytes_ceiling = 16u << 20;  // no config goes above it
inline constexpr std::uint64_t output_bytes_ceiling = 16u << 20;   // of one event's output; likewise
inline constexpr std::size_t type_bytes_max = 255;
inline constexpr std::size_t reason_bytes_max = 1024;

// A subject is 1..255 bytes of UTF-8 without NUL. Returns an empty view if so, else what is wrong with it.
std::string_view subject_mistake(std::string_view subject);
bool is_utf8(std::string_view text);

// Names of domains, topologies, lambdas and plugins: [a-z][a-z0-9_]*, at most 63 bytes.
bool is_name(std::string_view text);

// `text` with control characters and invalid UTF-8 as \xNN, cut at `bytes_max` with "...". For everything
// that came from a plugin or a peer and is shown to a person. Backslashes stay, so that what is printable
// already stays as it is: a reason passes several hands, each of which has to be sure.
std::string printable(std::string_view text, std::size_t bytes_max);

// `text`, which is UTF-8, cut at `bytes_max` with "..." and never inside a character. Escapes nothing.
std::string shortened(std::string text, std::size_t bytes_max);

// What became of an event in a lambda: data, never our error. The values are those of cape_status.
enum class OutcomeKind : std::int32_t {
  ok = 0,
  skipped = 1,
  retry = 2,
  not_found = 3,
  failed = -1,
  bad_input = -2,
  bad_config = -3,
  unsupported = -4,
  cancelled = -5,
  no_memory = -6,
  limit = -7,
  internal = -8,
  signaled = -101,
  hung = -102,
  violation = -103,
  oom = -104,
  exited = -105,
  protocol = -106,
  setup = -107,
  external_kill = -108,
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::ok;
  std::string reason;  // for a person; printable; at most reason_bytes_max
};

const char* name_of(OutcomeKind kind);  // "OK", "SIGNALED", ...; "UNKNOWN" for a value not listed

// What a lambda may itself return; anything else it returns is FAILED with the number in the reason.
OutcomeKind outcome_of_plugin_status(std::int32_t status);

inline bool is_done(OutcomeKind kind) {
  return kind == OutcomeKind::ok || kind == OutcomeKind::skipped;
}

// The failure policy's three ways (docs/architecture.md): wait and try again, park at once, or no attempt.
enum class FailureClass : std::uint8_t { done, attempt, park, no_attempt };
FailureClass failure_class(OutcomeKind kind);

}  // namespace cape
