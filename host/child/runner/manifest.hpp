// Reads a plugin's manifest, the ELF note of cape/plugin.h, out of the bytes of its file. No code of the file
// runs and none of its bytes are believed. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"

namespace cape::child {

// Error::invalid: not a shared library of this machine, or its manifest is missing, doubled or malformed.
// Error::conflict: it needs an ABI that this build does not offer.
// lambda_flags, has_flush and has_batch are not part of a manifest and stay empty.
Result<ManifestReport> parse_manifest(std::span<const std::uint8_t> file);

}  // namespace cape::child
