// SourceService answers query_call and scan_call requests: one answer frame a subject, in the order asked.
// Thread: main.
#pragma once

#include <cape/plugin.h>

#include <cstdint>
#include <vector>

#include "host/child/frames.hpp"
#include "host/child/runner/channel.hpp"
#include "host/child/runner/guard.hpp"
#include "host/child/runner/pacing.hpp"
#include "host/child/runner/source_call.hpp"

namespace cape::child {

class SourceService {
 public:
  // Borrows all; `source` and `self` are the plugin's.
  SourceService(const Setup& setup, Channel& channel, const cape_source& source, void* self);
  // Until the host says stop and every call before is answered.
  void run();

 private:
  void answer(const Frame& frame);
  void answer_query_call(std::span<const std::uint8_t> body);
  void answer_scan_call(std::span<const std::uint8_t> body);
  std::vector<Verdict> query_group(std::span<cape_source_query> queries, const QueryCallFrame& call,
                                   std::uint32_t first);
  std::size_t group_size(const QueryCallFrame& call) const;
  void send_answer(const QueryCallFrame& call, std::uint32_t index, const cape_source_query& query,
                   const Verdict& verdict, GatheredEvents& gathered);

  const Setup& setup_;
  Channel& channel_;
  const cape_source& source_;
  void* self_;
  const cape_source_batch* batch_;  // null: the source does not offer it
  SourceCall call_;
  Pacing pacing_;
};

}  // namespace cape::child
