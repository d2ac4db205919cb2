// cape/host.hpp - what the child offers a plugin: its names, its state directory, log, metrics.
// Everything is served inside the child; nothing waits for another process.
// Thread: any, except where noted. Copies are cheap and valid until the plugin's destructor returns.
#ifndef CAPE_HOST_HPP
#define CAPE_HOST_HPP

#include <cape/plugin.h>
#include <cape/outcome.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cape {
inline namespace plugin_v1 {

// A counter or gauge of the plugin's own. One that the host refused counts nothing.
class Metric {
 public:
  Metric(const cape_host* host, std::uint32_t id) : host_(host), id_(id) {}
  void add(double value) const {
    if (id_ != 0) host_->metric_add(host_, id_, value);
  }

 private:
  const cape_host* host_;
  std::uint32_t id_;
};

class Host {
 public:
  explicit Host(const cape_host* table) : table_(table) {}

  std::string_view domain() const { return text_of(table_->domain); }
  std::string_view topology() const { return text_of(table_->topology); }  // empty in a source
  std::string_view lambda() const { return text_of(table_->lambda); }      // empty in a source
  // Absolute; survives restarts; empty without a state grant.
  std::string_view state_dir() const { return text_of(table_->state_dir); }

  // Cut at 4 KiB and rate limited. severity: CAPE_LOG_*.
  void log(std::int32_t severity, std::string_view message) const {
    table_->log(table_, severity, bytes_of(message));
  }

  // Constructor only.
  Metric counter(std::string_view name) const { return {table_, table_->metric(table_, bytes_of(name), 0)}; }
  Metric gauge(std::string_view name) const { return {table_, table_->metric(table_, bytes_of(name), 1)}; }

  // Sources only: `subject` may have something new. A hint: it may be dropped.
  void ping(std::string_view subject, std::int64_t sequence_hint = 0) const {
    (void)table_->ping(table_, bytes_of(subject), sequence_hint);
  }

  const cape_host* table() const { return table_; }

 private:
  const cape_host* table_;
};

// The part of a call that lambdas and sources share. Thread: worker, inside the call.
class CallControl {
 public:
  explicit CallControl(cape_call* table) : table_(table) {}

  // Restarts the hang timer (`timeout`), not the hard cap (`timeout_max`).
  void heartbeat() const { table_->heartbeat(table_); }
  // The host wants this call to end early: return Outcome::cancelled() soon, or the child is killed.
  bool cancelled() const { return table_->is_cancelled(table_) != 0; }
  // When the event or query counts as hung. heartbeat() moves it on, up to the hard cap. nullopt: never.
  std::optional<std::chrono::steady_clock::time_point> deadline() const {
    const std::uint64_t at_ns = table_->deadline_ns(table_);
    if (at_ns == 0) return std::nullopt;
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at_ns));
  }
  cape_call* table() const { return table_; }

 protected:
  cape_call* table_;
};

}  // namespace plugin_v1
}  // namespace cape

#endif  // CAPE_HOST_HPP
