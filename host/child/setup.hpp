// host/child/setup.hpp
// Setup is all a runner is told before it starts, as msgpack in a sealed memfd. The host writes it, the
// runner trusts it: the plugin is not loaded yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace cape::child {

struct Setup {
  std::uint8_t kind = 0;                            // ChildKind
  std::string plugin_file, plugin_hash, plugin_id;  // for messages
  std::string domain, topology, lambda, config_json;
  std::string drill;                           // host/child/runner/drill.hpp; empty: none
  std::string working_dir;                     // the config file's directory; used if it is visible inside
  std::vector<std::string> read, write, code;  // absolute directories to show at their own paths
  std::string state_dir;                       // absolute or empty; shown writable
  std::vector<std::uint16_t> network;          // TCP ports to connect to; then it shares the host's network
  std::uint32_t inner_uid = 0, inner_gid = 0;  // what the plugin runs as, outside view
  bool root_host = false;                      // the host may map any id
  bool namespaces = false;                     // it was cloned into namespaces of its own
  bool own_uid = false;  // inner_uid is nobody else's: not the host's, not a file owner's
  bool replay = false;   // every event is flagged so
  char require_level = 'B';
  std::uint32_t cgroup_version = 0;  // of the group it is in; 0: of none
  std::string cgroup_missing;        // then why
  std::uint64_t memory_bytes = 0, file_bytes = 0, ring_bytes = 0, payload_bytes_max = 0;
  std::uint64_t timeout_ns = 0, timeout_max_ns = 0;  // of one call: without heartbeat, and in all; 0: none
  std::uint32_t threads = 0, files = 0, output_bytes = 0, log_lines_per_s = 0;
  // BPF programs (struct sock_filter[]): always on, before dlopen, before the first event.
  std::string seccomp_guard, seccomp_load, seccomp_run;

  std::string encode() const;
  static Result<Setup> decode(std::string_view bytes);
};

}  // namespace cape::child
