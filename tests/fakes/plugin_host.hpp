// tests/fakes/plugin_host.hpp
// The runner's side of the plugin ABI, in this process and without a sandbox: a host table and a call table
// that remember what the plugin did. For tests of plugins and of the headers they are built with. Neither may
// move: the tables point back at them.
#pragma once

#include <cape/plugin.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cape::test {

inline cape_bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string text(cape_bytes value) {
  return value.len == 0 ? std::string() : std::string(reinterpret_cast<const char*>(value.ptr), value.len);
}

class FakeHost {
 public:
  FakeHost() {
    table_.struct_size = sizeof table_;
    table_.abi_major = CAPE_ABI_MAJOR;
    table_.abi_minor = CAPE_ABI_MINOR;
    table_.host_data = this;
    table_.name = "fake";
    table_.version = "0";
    table_.log = [](const cape_host* host, std::int32_t severity, cape_bytes message) {
      const std::lock_guard lock(of(host).mutex_);
      of(host).logs.push_back(std::to_string(severity) + " " + text(message));
    };
    table_.metric = [](const cape_host* host, cape_bytes name, std::int32_t) {
      of(host).metrics.push_back({text(name), 0});
      return static_cast<std::uint32_t>(of(host).metrics.size());
    };
    table_.metric_add = [](const cape_host* host, std::uint32_t id, double value) {
      of(host).metrics.at(id - 1).second += value;
    };
    table_.config_get = [](const cape_host* host, cape_bytes key, cape_bytes* out) -> cape_status {
      const auto found = of(host).config.find(text(key));
      if (found == of(host).config.end()) return CAPE_NOT_FOUND;
      *out = bytes(found->second);
      return CAPE_OK;
    };
    table_.ping = [](const cape_host* host, cape_bytes subject, std::int64_t hint) -> cape_status {
      const std::lock_guard lock(of(host).mutex_);
      of(host).pings.push_back(text(subject) + " " + std::to_string(hint));
      return CAPE_OK;
    };
    table_.domain = bytes("history");
    table_.topology = bytes("audit");
    table_.lambda = bytes("write");
    table_.get_extension = [](const cape_host*, const char*) -> const void* { return nullptr; };
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  void grant_state(std::string dir) {
    state_dir_ = std::move(dir);
    table_.state_dir = bytes(state_dir_);
  }
  void set_domain(std::string domain) {
    domain_ = std::move(domain);
    table_.domain = bytes(domain_);
  }
  const cape_host* table() const { return &table_; }

  // Copies, for plugins with threads of their own: they log and ping at any time.
  std::vector<std::string> logs_now() const {
    const std::lock_guard lock(mutex_);
    return logs;
  }
  std::vector<std::string> pings_now() const {
    const std::lock_guard lock(mutex_);
    return pings;
  }

  std::map<std::string, std::string> config;  // scalars by dotted key, as text
  std::vector<std::string> logs;              // "severity message"
  std::vector<std::string> pings;             // "subject hint"
  std::vector<std::pair<std::string, double>> metrics;

 private:
  static FakeHost& of(const cape_host* host) { return *static_cast<FakeHost*>(host->host_data); }

  mutable std::mutex mutex_;  // of logs and pings
  std::string state_dir_, domain_;
  cape_host table_{};
};

struct SeenEvent {
  std::uint32_t query = 0;  // of a batch
  std::int64_t sequence = 0, time_ns = 0;
  std::string type, payload;
  bool operator==(const SeenEvent&) const = default;
};
struct SeenSubject {
  std::string subject;
  std::int64_t latest = 0;
  bool operator==(const SeenSubject&) const = default;
};

class FakeCall {
 public:
  FakeCall() {
    table_.struct_size = sizeof table_;
    table_.call_data = this;
    add_lambda_functions();
    add_source_functions();
    table_.set_error = [](cape_call* call, std::uint32_t index, std::int32_t code, cape_bytes message) {
      of(call).errors[index] = text(message);
      of(call).codes[index] = code;
    };
    table_.heartbeat = [](cape_call* call) { ++of(call).heartbeats; };
    table_.is_cancelled = [](const cape_call* call) -> std::int32_t { return of(call).cancelled ? 1 : 0; };
    table_.deadline_ns = [](const cape_call* call) { return of(call).deadline_ns; };
  }
  FakeCall(const FakeCall&) = delete;
  FakeCall& operator=(const FakeCall&) = delete;

  cape_call* table() { return &table_; }

  // What the plugin did.
  std::map<std::uint32_t, std::string> outputs, errors;  // by event index
  std::map<std::uint32_t, std::int32_t> codes;
  std::vector<SeenEvent> events;
  std::vector<SeenSubject> subjects;
  int heartbeats = 0;
  // What it is told.
  bool cancelled = false;
  std::uint64_t deadline_ns = 0;
  std::size_t output_bytes_max = 1u << 20;                         // beyond: LIMIT
  std::size_t rows_max = std::numeric_limits<std::size_t>::max();  // events or subjects; beyond: LIMIT
  std::function<void(std::uint32_t)> on_begin_query;

 private:
  static FakeCall& of(const cape_call* call) { return *static_cast<FakeCall*>(call->call_data); }

  void add_lambda_functions() {
    table_.emit = [](cape_call* call, std::uint32_t index, cape_bytes output) -> cape_status {
      if (output.len > of(call).output_bytes_max) return CAPE_LIMIT;
      return of(call).outputs.emplace(index, text(output)).second ? CAPE_OK : CAPE_BAD_INPUT;
    };
    table_.reserve = [](cape_call* call, std::uint32_t index, std::uint64_t n,
                        std::uint8_t** dst) -> cape_status {
      if (n > of(call).output_bytes_max) return CAPE_LIMIT;
      of(call).reserved_.assign(n, 0);
      of(call).reserved_index_ = index;
      *dst = of(call).reserved_.data();
      return CAPE_OK;
    };
    table_.commit = [](cape_call* call, std::uint64_t used) -> cape_status {
      FakeCall& self = of(call);
      if (used > self.reserved_.size()) return CAPE_LIMIT;
      return call->emit(call, self.reserved_index_, {self.reserved_.data(), used});
    };
  }

  void add_source_functions() {
    table_.begin_query = [](cape_call* call, std::uint32_t index) -> cape_status {
      of(call).query_ = index;
      if (of(call).on_begin_query) of(call).on_begin_query(index);
      return CAPE_OK;
    };
    table_.emit_event = [](cape_call* call, const cape_event* event) -> cape_status {
      FakeCall& self = of(call);
      if (self.events.size() >= self.rows_max) return CAPE_LIMIT;
      self.events.push_back(
          {self.query_, event->sequence, event->time_ns, text(event->type), text(event->payload)});
      return CAPE_OK;
    };
    table_.emit_subject = [](cape_call* call, cape_bytes subject, std::int64_t latest) -> cape_status {
      if (of(call).subjects.size() >= of(call).rows_max) return CAPE_LIMIT;
      of(call).subjects.push_back({text(subject), latest});
      return CAPE_OK;
    };
  }

  cape_call table_{};
  std::uint32_t query_ = 0;
  std::uint32_t reserved_index_ = 0;
  std::vector<std::uint8_t> reserved_;
};

// An event and the bytes it points at.
struct FakeEvent {
  std::string domain = "history", subject = "a", type = "set", payload = "text";
  std::int64_t sequence = 1, time_ns = 1'700'000'000'000'000'000;
  std::uint64_t fence = 7;
  std::uint32_t attempt = 0, flags = 0;

  // Valid as long as this object lives and does not change.
  cape_event view() const {
    cape_event event{};
    event.struct_size = sizeof event;
    event.sequence = sequence;
    event.time_ns = time_ns;
    event.domain = bytes(domain);
    event.subject = bytes(subject);
    event.type = bytes(type);
    event.payload = bytes(payload);
    event.fence = fence;
    event.attempt = attempt;
    event.flags = flags;
    return event;
  }
};

}  // namespace cape::test
