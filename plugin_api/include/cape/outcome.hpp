// cape/outcome.hpp - what a plugin answers, and the exceptions that carry an answer.
//
// Returning an Outcome and throwing are equal: whatever leaves a plugin's function is caught before the C
// ABI.
//   cape::Failure      its outcome
//   cape::ConfigError  BAD_CONFIG: the plugin is disabled until its config changes
//   std::bad_alloc     NO_MEMORY
//   anything else      RETRY with what() as the reason
#ifndef CAPE_OUTCOME_HPP
#define CAPE_OUTCOME_HPP

#include <cape/plugin.h>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace cape {
// The inline namespace keeps these types apart from any other `cape` that is linked into one program.
inline namespace plugin_v1 {

inline cape_bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(cape_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.ptr), static_cast<std::size_t>(bytes.len)};
}

// What became of one event. The reason is read by a person beside the outcome; cut at 1 KiB.
class [[nodiscard]] Outcome {
 public:
  static Outcome ok() { return Outcome(CAPE_OK, {}); }
  // Filtered on purpose; counts as processed.
  static Outcome skipped(std::string reason = {}) { return Outcome(CAPE_SKIPPED, std::move(reason)); }
  // Transient: the event runs again after a backoff.
  static Outcome retry(std::string reason) { return Outcome(CAPE_RETRY, std::move(reason)); }
  // Permanent: the subject is parked until an operator acts.
  static Outcome failed(std::string reason) { return Outcome(CAPE_FAILED, std::move(reason)); }
  // Permanent as well, and counted apart: the event itself is wrong.
  static Outcome bad_input(std::string reason) { return Outcome(CAPE_BAD_INPUT, std::move(reason)); }
  static Outcome unsupported(std::string reason) { return Outcome(CAPE_UNSUPPORTED, std::move(reason)); }
  // Stopped because the host asked to (Call::cancelled): no attempt is counted.
  static Outcome cancelled() { return Outcome(CAPE_CANCELLED, {}); }
  // Any status of cape/plugin.h, for example one that a host function returned.
  static Outcome of(cape_status status, std::string reason = {}) {
    return Outcome(status, std::move(reason));
  }

  // A number of the plugin's own, shown beside the reason.
  Outcome&& with_code(std::int32_t app_code) && {
    app_code_ = app_code;
    return std::move(*this);
  }

  cape_status status() const { return status_; }
  const std::string& reason() const { return reason_; }
  std::int32_t app_code() const { return app_code_; }
  bool is_done() const { return status_ == CAPE_OK || status_ == CAPE_SKIPPED; }

 private:
  Outcome(cape_status status, std::string reason) : status_(status), reason_(std::move(reason)) {}

  cape_status status_;
  std::int32_t app_code_ = 0;
  std::string reason_;
};

// Ends the call with an outcome from any depth: throw cape::Failure(cape::Outcome::retry("index is locked"));
class Failure : public std::exception {
 public:
  explicit Failure(Outcome outcome) : outcome_(std::move(outcome)) {}
  const Outcome& outcome() const { return outcome_; }
  const char* what() const noexcept override { return outcome_.reason().c_str(); }

 private:
  Outcome outcome_;
};

// The operator's config cannot be used. The message names the key and the next step.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace plugin_v1
}  // namespace cape

#endif  // CAPE_OUTCOME_HPP
