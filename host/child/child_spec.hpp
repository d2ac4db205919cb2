// host/child/child_spec.hpp
// What a child is to be: which plugin bytes, for whom, with which grants and limits. Plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config/config.hpp"
#include "core/unique_fd.hpp"

namespace cape::child {

// A plugin file as taken in: immutable bytes in a sealed memfd. Shared by intake (the newest good bytes of an
// id) and by every child specification that runs them.
struct PluginImage {
  UniqueFd memfd;        // sealed against write, grow, shrink and further seals
  std::string file;      // path it came from, for people
  std::string hash;      // SHA-256, 64 hex digits
  std::uint64_t bytes = 0;
  // From the manifest, as read in a sandboxed child; empty before inspection.
  std::string id, version;
  std::uint32_t kinds = 0, wants = 0;
  std::uint16_t abi_minor = 0, abi_min_minor = 0;
  std::string signed_by;  // name of the trusted key; empty: none was asked for, or none signed it

  bool is_lambda() const { return (kinds & 1u) != 0; }  // it may be both
  bool is_source() const { return (kinds & 2u) != 0; }
};
using PluginImagePtr = std::shared_ptr<const PluginImage>;

enum class ChildKind : std::uint8_t {
  lambda,
  source,
  inspect,  // reads the manifest, loads the library, checks the entry, runs init and deinit, reports, ends
};

struct ChildSpec {
  ChildKind kind = ChildKind::inspect;
  PluginImagePtr image;
  std::string domain, topology, lambda;  // the last two are empty for a source
  std::string config_json = "{}";
  fs::path config_dir;                   // of the config file: the plugin's working directory
  Grant grant;                           // absolute paths
  fs::path state_dir;                    // absolute; used with grant.state; made and owned for the child
  Limits limits;
  std::uint64_t payload_bytes_max = 1u << 20;
  std::uint64_t inputs_bytes_max = 0;    // of the outputs of other lambdas that come with one event
  std::uint64_t ring_bytes = 0;          // of each direction; 0: as payload_bytes_max and inputs_bytes_max need
  char require_level = 'B';              // a child that reaches less ends with SETUP
  std::int64_t start_timeout_ms = 5'000; // load, init and create together
  // What the child tells the plugin of a call's deadline; its owner does the killing. 0: none.
  std::int64_t timeout_ns = 0, timeout_max_ns = 0;
  bool replay = false;                   // its events are flagged CAPE_EVENT_REPLAY
  std::string drill;                     // a check that runs in the child ("C12"); empty in production
  int life_fd = -1;                      // kept open by every process of the child until it is gone
};

// The sandbox a child really has.
struct SandboxReport {
  char level = 'D';      // A..D, docs/architecture.md
  std::string layers;    // comma separated: "process,uid,userns,pidns,..."
  std::string missing;   // "cgroup: not joined (no v2 delegation); ..."
};

struct ManifestReport {
  std::string id, version;
  std::uint32_t kinds = 0, wants = 0;
  std::uint16_t abi_major = 0, abi_minor = 0, abi_min_minor = 0;
  std::uint32_t lambda_flags = 0;
  bool has_flush = false, has_batch = false;
};

}  // namespace cape::child
