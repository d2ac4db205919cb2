// broker/shadow_reads.hpp
// ShadowReads is how Replays reaches sources: it scans them itself, and has the shadows' subjects read. A
// port: the tracker and the source links behind it for real (tracked_shadows.hpp), simulated in tests.
// Thread: broker loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/types.hpp"
#include "host/child/source_child.hpp"

namespace cape::broker {

class ShadowReads {
 public:
  virtual ~ShadowReads() = default;

  // ---- `source`: the live domain of a source
  virtual bool ready(DomainIndex source) const = 0;
  virtual std::string trouble(DomainIndex source) const = 0;  // why it is not ready; empty: it is
  // Up to `subjects_max` subjects behind the token; the answer goes to Replays::on_scan(). nullopt: not now.
  virtual std::optional<child::CallId> scan(DomainIndex source, const std::string& token,
                                            std::uint32_t subjects_max) = 0;

  // ---- `shadow`: the domain of a shadow
  virtual void run(DomainIndex shadow, Sequence last) = 0;  // it is read up to `last`, until end()
  virtual void end(DomainIndex shadow) = 0;
  virtual bool has_room(DomainIndex shadow) const = 0;  // for more that waits to be read
  virtual void ping(DomainIndex shadow, const std::string& subject, std::int64_t now_ns) = 0;
  // Since the broker started.
  virtual std::uint64_t events_done(TopologyIndex shadow) const = 0;
};

}  // namespace cape::broker
