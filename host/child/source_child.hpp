// host/child/source_child.hpp
// SourceChild is one sandboxed process that holds an event source, seen from the broker. Calls are queued
// and answered later by poll(); answers are checked here (rising, in bounds, the asked subject), so what
// comes out can be trusted in form. An answer that breaks the contract ends the child with PROTOCOL.
// Thread: one thread, never blocks. The destructor kills the child and waits for the kernel to confirm.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/sandbox/usage.hpp"
#include "host/child/lambda_child.hpp"

namespace cape::child {

using CallId = std::uint64_t;

inline constexpr std::size_t queries_per_call_max = 1024;

struct SourceQuery {
  std::uint64_t tag = 0;  // the caller's; comes back in the answer
  std::string subject;
  Sequence start = 1;
};
struct QueryAnswer {
  CallId call = 0;
  std::uint64_t tag = 0;
  // ok, not_found, or the source's failure. protocol: the first event from `start` on is over a limit and
  // fits no answer; it is `unreadable`, and there is none before it.
  OutcomeKind status = OutcomeKind::ok;
  std::string reason;
  Sequence latest = 0;      // 0 unless ok
  Sequence start = 0;       // as asked
  Sequence unreadable = 0;  // 0 unless protocol
  bool more = false;
  EventBlockPtr block;  // proven [start, next_start - 1]; null unless ok
};
struct ScannedSubject {
  std::string subject;
  Sequence latest = 0;
};
struct ScanAnswer {
  CallId call = 0;
  OutcomeKind status = OutcomeKind::ok;
  std::string reason;
  std::vector<ScannedSubject> subjects;  // rising byte order, all above the token; well-formed
  bool more = false;
  std::string token;  // for the next scan: the last subject seen, even if it was ill-formed and left out
};
struct SourcePing {  // from the source itself
  std::string subject;
  Sequence hint = 0;
};
struct CallDone {  // every answer of a call has been given
  CallId call = 0;
};
// ChildEnded::left is empty; every unanswered call is failed by it.
using SourceReport = std::variant<ChildReady, ChildLog, QueryAnswer, ScanAnswer, SourcePing, CallDone, ChildEnded>;

class SourceChild {
 public:
  virtual ~SourceChild() = default;
  virtual int fd() const = 0;
  virtual int pid() const = 0;
  virtual void poll(std::vector<SourceReport>& out) = 0;

  // One call with many subjects: `latest` and up to max_events events of each from `start` on. Answers come
  // in the order asked, then CallDone. At most queries_per_call_max, at least one.
  // nullopt: the ring is full; nothing changed.
  virtual std::optional<CallId> query(const std::vector<SourceQuery>& queries, std::uint32_t max_events,
                                      std::uint64_t max_bytes) = 0;
  virtual std::optional<CallId> scan(std::string_view token, std::uint32_t max_subjects) = 0;
  virtual std::size_t calls_out() const = 0;
  // Boot times of the oldest unanswered call: since when it has made no progress, heartbeats counted or not.
  // 0: no call is out.
  struct Waiting {
    std::int64_t since_ns = 0, unanswered_since_ns = 0;
  };
  virtual Waiting waiting() = 0;
  // What its plugin's process uses; see UsageReader.
  virtual std::optional<ChildUsage> usage() = 0;

  virtual std::vector<ChildMetric> metrics() const = 0;  // see LambdaChild

  virtual void set_lease_end(std::int64_t boot_ns) = 0;
  virtual void stop() = 0;
  virtual void kill(Outcome why) = 0;
};

Result<std::unique_ptr<SourceChild>> start_source_child(const ChildSpec& spec);

}  // namespace cape::child
