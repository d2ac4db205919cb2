#include "host/child/runner/host_services.hpp"

#include <algorithm>

#include "core/clock.hpp"
#include "core/types.hpp"
#include "host/child/runner/abi_bytes.hpp"

namespace cape::child {
namespace {

constexpr std::size_t metrics_max = 256;
constexpr std::size_t metric_name_bytes_max = 128;

}  // namespace

HostServices::HostServices(const Setup& setup, const ConfigTable& config, Channel& channel)
    : setup_(setup), config_(config), channel_(channel) {
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
  if (name.len == 0 || name.len > metric_name_bytes_max || kind < 0 || kind > 1) return 0;
  const std::lock_guard lock(me.mutex_);
  const auto known = std::ranges::find(me.metrics_, text_of(name));
  if (known != me.metrics_.end()) return static_cast<std::uint32_t>(known - me.metrics_.begin()) + 1;
  if (me.metrics_.size() == metrics_max) return 0;
  me.metrics_.emplace_back(text_of(name));
  return static_cast<std::uint32_t>(me.metrics_.size());
}

void HostServices::metric_add(const cape_host*, std::uint32_t, double) {}

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
