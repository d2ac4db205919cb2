// host/check/escapes.hpp
// What `cape doctor` does: each thing that the sandbox has to stop is tried, in a throw-away child with the
// flags of production. What a kernel says of itself counts for nothing. Thread: one; blocks, each attempt for
// attempt_ms_max at most.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"

namespace cape::check {

inline constexpr std::int64_t attempt_ms_max = 10'000;

struct Escape {
  const char* id;       // the probe's word for it
  const char* attempt;  // for a person
};
std::span<const Escape> escapes();

enum class Held : std::uint8_t { yes, no, unknown };
const char* name_of(Held held);

struct Attempted {
  Held held = Held::unknown;
  std::string how;                              // "refused: EACCES", "killed for it"; printable
  std::optional<child::SandboxReport> sandbox;  // of its child; nullopt: none could be started
};

// The probe as children need it. Error: it is not installed.
Result<child::PluginImagePtr> take_probe();
Attempted try_escape(const child::PluginImagePtr& probe, const Escape& escape);

}  // namespace cape::check
