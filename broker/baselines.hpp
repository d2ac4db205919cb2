// broker/baselines.hpp
// Baselines fixes where topologies begin whose start is "latest": when one of them is first seen, its
// domain's source is scanned once, page by page, and what the source had of each subject is stored, synced,
// together with how far the scan is. So a broker that dies in its midst goes on behind the last stored page,
// and no restart moves what is stored. Topologies that are new at the same time share one scan. An event
// counts as after the start if it came after its subject's page was read; a subject that the scan does not
// find begins at 0. At most one page of a domain is in memory. Thread: broker loop only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/saver.hpp"
#include "broker/source_link.hpp"
#include "core/config/config.hpp"
#include "storage/cursor_store.hpp"

namespace cape::broker {

class Baselines {
 public:
  static constexpr std::uint32_t subjects_per_page = 2000;

  // Borrowed; they must outlive it. `links` by DomainIndex.
  Baselines(const Config& config, std::vector<SourceLink>& links, Saver& saver);

  // What is stored, before anything else is called. Gives the topologies whose baseline is done.
  std::vector<TopologyIndex> open(std::vector<storage::Baseline> stored);
  void step(std::int64_t now_ns);
  std::optional<std::int64_t> next_deadline() const;
  // False: the answer is to a scan of somebody else.
  bool on_scan(DomainIndex domain, const child::ScanAnswer& answer, std::int64_t now_ns);
  void on_source_lost(DomainIndex domain, std::int64_t now_ns);
  // A page of baseline `id` is on disk, or could not be stored. Gives the topologies whose baseline is done
  // now.
  std::vector<TopologyIndex> on_saved(std::uint64_t id, bool is_stored, std::int64_t now_ns);

  bool running() const { return !runs_.empty(); }
  // nullopt: no baseline of the topology runs.
  std::optional<std::uint64_t> subjects_so_far(TopologyIndex topology) const;
  // For people: how far the scan of the domain is, or why it does not go on; empty: none runs.
  std::string progress_of(DomainIndex domain) const;

 private:
  struct Run {
    storage::Baseline baseline;  // as it is stored
    DomainIndex domain = 0;
    std::vector<TopologyIndex> topologies;
    std::optional<child::CallId> call;
    std::optional<storage::BaselinePage> page;  // read, and not on disk yet
    bool page_out = false;                      // the store has it
    std::int64_t next_ns = 0;
    std::string trouble;
  };
  Run* with_id(std::uint64_t id);
  void scan(Run& run, std::int64_t now_ns);

  const Config& config_;
  std::vector<SourceLink>& links_;
  Saver& saver_;
  std::vector<Run> runs_;
};

}  // namespace cape::broker
