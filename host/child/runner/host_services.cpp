#include "host/child/runner/host_services.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/clock.hpp"
#include "core/types.hpp"
#include "host/child/runner/abi_bytes.hpp"

namespace cape::child {
namespace {

// Letters that need no escape in any of the places where metrics end up.
bool is_metric_name(std::string_view name) {
  if (name.empty() || name.size() > metric_name_bytes_max) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

}  // namespace

HostServices::HostServices(const Setup& setup, const ConfigTable& config, Channel& channel)
    : setup_(setup),
      config_(config),
      channel_(channel),
      log_rate_(setup.log_lines_per_s, 2 * std::int64_t{setup.log_lines_per_s}) {
  table_.struct_size = sizeof table_;
  table_.abi_major = CAPE_ABI_MAJOR;
  table_.abi_minor = CAPE_ABI_MINOR;
  table_.host_data = this;
  table_.name = "cape";
  table_.version = "0.1.0";
  table_.log = log;
  table_.metric = metric;
  table_.metric_add = metric_add;
  table_.config_get = config_get;
  table_.ping = ping;
  table_.domain = bytes_of(setup_.domain);
  table_.topology = bytes_of(setup_.topology);
  table_.lambda = bytes_of(setup_.lambda);
  table_.state_dir = bytes_of(setup_.state_dir);
  table_.get_extension = get_extension;
}

std::string HostServices::last_complaint() const {
  const std::lock_guard lock(mutex_);
  return last_complaint_;
}

void HostServices::log(const cape_host* host, std::int32_t severity, cape_bytes message) {
  HostServices& me = self(host);
  const std::string_view text = text_of(message).substr(0, log_bytes_max);
  {
    const std::lock_guard lock(me.mutex_);
    if (severity >= CAPE_LOG_WARNING) me.last_complaint_ = text;
    const LogFrame frame{.severity = severity,
                         .text_bytes = static_cast<std::uint32_t>(text.size()),
                         .dropped = me.logs_dropped_};
    const bool sent = me.log_rate_.take(boot_ns()) &&
                      me.channel_.try_send(FrameKind::log, sizeof frame + text.size(), [&](BodyWriter& body) {
                        body.write(frame);
                        body.write_text(text);
                      });
    me.logs_dropped_ = sent ? 0 : me.logs_dropped_ + 1;
    if (!sent) return;
  }
  me.channel_.ring_host();
}

std::uint32_t HostServices::metric(const cape_host* host, cape_bytes name, std::int32_t kind) {
  HostServices& me = self(host);
  const std::string_view text = text_of(name);
  if (!is_metric_name(text) || kind < 0 || kind > 1) return 0;
  const std::lock_guard lock(me.mutex_);
  const auto known = std::ranges::find(me.metrics_, text, &Metric::name);
  if (known != me.metrics_.end())
    return known->kind == kind ? static_cast<std::uint32_t>(known - me.metrics_.begin()) + 1 : 0;
  if (me.metrics_.size() == metrics_max) return 0;
  const MetricFrame frame{.id = static_cast<std::uint32_t>(me.metrics_.size()) + 1,
                          .kind = static_cast<std::uint32_t>(kind),
                          .name_bytes = static_cast<std::uint32_t>(text.size()),
                          .reserved = 0};
  const bool sent =
      me.channel_.try_send(FrameKind::metric, sizeof frame + text.size(), [&](BodyWriter& body) {
        body.write(frame);
        body.write_text(text);
      });
  if (!sent) return 0;
  me.metrics_.push_back({std::string(text), kind});
  me.metric_count_.store(frame.id, std::memory_order_release);
  return frame.id;
}

void HostServices::metric_add(const cape_host* host, std::uint32_t id, double value) {
  HostServices& me = self(host);
  if (id == 0 || id > me.metric_count_.load(std::memory_order_acquire) || !std::isfinite(value)) return;
  std::atomic<std::uint64_t>& word = me.channel_.response().metrics[id - 1];
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  while (!word.compare_exchange_weak(seen, std::bit_cast<std::uint64_t>(std::bit_cast<double>(seen) + value),
                                     std::memory_order_relaxed)) {
  }
}

cape_status HostServices::config_get(const cape_host* host, cape_bytes key, cape_bytes* out) {
  if (out == nullptr) return CAPE_BAD_INPUT;
  const std::string* value = self(host).config_.find(text_of(key));
  if (value == nullptr) return CAPE_NOT_FOUND;
  *out = bytes_of(*value);
  return CAPE_OK;
}

cape_status HostServices::ping(const cape_host* host, cape_bytes subject, std::int64_t hint) {
  HostServices& me = self(host);
  if (me.setup_.kind != static_cast<std::uint8_t>(ChildKind::source)) return CAPE_UNSUPPORTED;
  const std::string_view text = text_of(subject);
  if (!subject_mistake(text).empty()) return CAPE_BAD_INPUT;
  const SourcePingFrame frame{
      .hint = hint, .subject_bytes = static_cast<std::uint32_t>(text.size()), .reserved = 0};
  const bool sent =
      me.channel_.try_send(FrameKind::source_ping, sizeof frame + text.size(), [&](BodyWriter& body) {
        body.write(frame);
        body.write_text(text);
      });
  if (!sent) return CAPE_LIMIT;
  me.channel_.ring_host();
  return CAPE_OK;
}

const void* HostServices::get_extension(const cape_host*, const char*) {
  return nullptr;
}

}  // namespace cape::child
