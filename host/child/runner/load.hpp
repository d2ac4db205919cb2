// Loads the plugin into this process and checks the tables it hands out. The library stays for the life of
// the process: it is unloaded by exit, never by dlclose. Thread: main.
#pragma once

#include <cape/plugin.h>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/runner/runner.hpp"

namespace cape::child {

struct LoadedPlugin {
  ManifestReport manifest;
  const cape_entry* entry = nullptr;
  const cape_lambda* lambda = nullptr;  // null unless the manifest names the kind
  const cape_source* source = nullptr;
};

// Error: what is wrong with the file, and what to do.
Result<LoadedPlugin> load_plugin(const RunnerContext& context);

}  // namespace cape::child
