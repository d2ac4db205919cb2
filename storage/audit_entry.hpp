// storage/audit_entry.hpp
// AuditEntry: one act of an operator, as the store keeps it for good.
#pragma once

#include <cstdint>
#include <string>

#include "core/types.hpp"

namespace cape::storage {

struct AuditEntry {
  std::int64_t time_ns = 0;  // wall clock
  std::string act;  // pause, resume, park, redrive, skip, rewind, replay, cancel_replay, pin, unpin, promote, rollback
  std::string domain;
  std::string subject;  // empty: of all subjects of the topology
  std::string topology;  // of pin and unpin the plugin
  // The topology's cursor before and after, of a replay its range; of a skip `to` is the event that was passed over.
  Sequence from = 0, to = 0;
  std::string reason;  // the operator's

  bool operator==(const AuditEntry&) const = default;
};

}  // namespace cape::storage
