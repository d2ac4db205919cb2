// host/child/inspector.hpp
// Inspector is how intake finds out what a plugin file is: a port. The real one runs the quick set of `cape
// plugin check` (S2..S8, L1, L2, L4..L6) in one sandboxed child (inspect.cpp) and names the check that fails;
// tests bring their own. Thread: the owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "host/child/child_spec.hpp"

namespace cape::child {

struct InspectionVerdict {
  enum class Kind : std::uint8_t {
    good,
    bad,     // the file is at fault: set aside until it changes
    unsure,  // the surroundings are (no process, killed from outside): try again later
  };
  Kind kind = Kind::bad;
  ManifestReport manifest;  // good
  std::string reason;       // not good; printable
};

// One file under inspection. Destruction ends it, whatever it does.
class Inspection {
public:
  virtual ~Inspection() = default;
  virtual int fd() const = 0;                    // readable when poll() has something to do; -1: none
  virtual std::int64_t deadline_ns() const = 0;  // boot time; poll() is due then in any case
  // The verdict, once there is one.
  virtual std::optional<InspectionVerdict> poll(std::int64_t now_ns) = 0;
};

class Inspector {
public:
  virtual ~Inspector() = default;
  // `image` has its bytes and its hash, but nothing of the manifest yet.
  virtual Result<std::unique_ptr<Inspection>> start(PluginImagePtr image, std::int64_t now_ns) = 0;
};

struct InspectorOptions {
  char require_level = 'B';
  int life_fd = -1;
  std::int64_t timeout_ms = 5'000;  // load, init and deinit together; then it is HUNG
};
std::unique_ptr<Inspector> make_child_inspector(InspectorOptions options);

// What a host cannot accept in a manifest, whatever the child says of it; empty: nothing.
std::string manifest_mistake(const ManifestReport& manifest);

}  // namespace cape::child
