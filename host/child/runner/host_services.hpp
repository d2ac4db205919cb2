// HostServices is the cape_host that a plugin sees, served inside the child. No call waits for the host.
//   log     cut at 4 KiB, 100 lines a second after a burst of 200; what is lost is counted in the next line
//   ping    sources only; LIMIT when the ring is half full (a ping is a hint)
//   metric  at most 64 names; the numbers lie in the shared header, where the host reads them when it likes
// Thread: any, between its construction and the end of destroy.
#pragma once

#include <cape/plugin.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/rate_limit.hpp"
#include "host/child/runner/channel.hpp"
#include "host/child/runner/config_table.hpp"

namespace cape::child {

class HostServices {
 public:
  // Borrows all three.
  HostServices(const Setup& setup, const ConfigTable& config, Channel& channel);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  const cape_host* table() const { return &table_; }
  // The last line logged as a warning or an error: why create refused, for instance.
  std::string last_complaint() const;

 private:
  static HostServices& self(const cape_host* host) { return *static_cast<HostServices*>(host->host_data); }
  static void log(const cape_host* host, std::int32_t severity, cape_bytes message);
  static std::uint32_t metric(const cape_host* host, cape_bytes name, std::int32_t kind);
  static void metric_add(const cape_host* host, std::uint32_t id, double value);
  static cape_status config_get(const cape_host* host, cape_bytes key, cape_bytes* out);
  static cape_status ping(const cape_host* host, cape_bytes subject, std::int64_t hint);
  static const void* get_extension(const cape_host* host, const char* id);

  const Setup& setup_;
  const ConfigTable& config_;
  Channel& channel_;
  cape_host table_{};
  mutable std::mutex mutex_;  // of what follows
  RateLimit log_rate_;
  std::uint64_t logs_dropped_ = 0;
  std::string last_complaint_;
  struct Metric {
    std::string name;
    std::int32_t kind = 0;
  };
  std::vector<Metric> metrics_;
  std::atomic<std::uint32_t> metric_count_ = 0;  // the same, for those that only add
};

}  // namespace cape::child
