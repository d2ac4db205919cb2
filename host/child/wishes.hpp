// host/child/wishes.hpp
// Whether a plugin may run in a role with what the operator grants. A manifest wishes, only cape.toml grants,
// and a wish that is not granted is a refusal, never a silent loss of function. Pure.
#pragma once

#include <string>

#include "core/config/config.hpp"
#include "host/child/child_spec.hpp"

namespace cape::child {

// Why `image` cannot be a lambda or a source with this grant, and what to do; empty: it can.
std::string role_mistake(const PluginImage& image, ChildKind role, const Grant& grant);

// Several children of it may use one state directory.
bool shares_state(const ManifestReport& manifest);

}  // namespace cape::child
