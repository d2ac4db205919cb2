// Loads the plugin into this process and checks the tables it hands out. The library stays for the life of
// the process: it is unloaded by exit, never by dlclose. Thread: main.
#pragma once

#include <cape/plugin.h>

#include <expected>
#include <string>
#include <string_view>

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

// What is wrong with the file, what to do, and which check of `cape plugin check` says so.
struct LoadFault {
  std::string_view check;  // "L4"
  std::string text;
};
// For an inspection the file's headers are judged before any of its code runs.
std::expected<LoadedPlugin, LoadFault> load_plugin(const RunnerContext& context);

}  // namespace cape::child
