// broker/tracked_shadows.hpp
// TrackedShadows is ShadowReads over the broker's tracker and source links.
#pragma once

#include <vector>

#include "broker/latencies.hpp"
#include "broker/shadow_reads.hpp"
#include "broker/source_link.hpp"
#include "broker/tracker/tracker.hpp"

namespace cape::broker {

class TrackedShadows final : public ShadowReads {
 public:
  // All of them must outlive it. `links` by live domain.
  TrackedShadows(std::vector<SourceLink>& links, tracker::Tracker& tracker, const Latencies& latencies)
      : links_(links), tracker_(tracker), latencies_(latencies) {}

  bool ready(DomainIndex source) const override { return links_[source].ready(); }
  std::string trouble(DomainIndex source) const override {
    return ready(source) ? "" : links_[source].trouble();
  }
  std::optional<child::CallId> scan(DomainIndex source, const std::string& token,
                                    std::uint32_t subjects_max) override {
    return links_[source].child().scan(token, subjects_max);
  }
  void run(DomainIndex shadow, Sequence last) override { tracker_.run_shadow(shadow, last); }
  void end(DomainIndex shadow) override { tracker_.end_shadow(shadow); }
  bool has_room(DomainIndex shadow) const override {
    return tracker_.queued(shadow) < queued_max && tracker_.has_room();
  }
  void ping(DomainIndex shadow, const std::string& subject, std::int64_t now_ns) override {
    tracker_.ping({.domain = shadow, .subject = subject, .ping_ns = now_ns});
  }
  std::uint64_t events_done(TopologyIndex shadow) const override { return latencies_.of(shadow).events_done; }

 private:
  static constexpr std::size_t queued_max = 512;  // of a shadow's subjects at the tracker

  std::vector<SourceLink>& links_;
  tracker::Tracker& tracker_;
  const Latencies& latencies_;
};

}  // namespace cape::broker
