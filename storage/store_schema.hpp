// storage/store_schema.hpp
// The tables of data_dir/cape.db, and what a broker does to them when its life begins.
//
//   cursor_info  one row a subject. The id is small and dense, so that a group of updates, sorted by it,
//   walks the
//                table once; the text index is touched only when a subject is first stored.
//   inbox        acknowledged pings that have not led to a stored read yet
//   host_lease   hosts that may run jobs, with the length of their lease
//   audit        what operators did, for good;  paused_topology: what they hold
//   baseline     scans that fix where topologies begin whose start is "latest"; baseline_topology: which;
//                baseline_start: where, by subject
//   coverage     up to when a topology is proven to have processed everything
//   canary       which version of its plugin a lambda runs, and which one is tried
//   domain       names to small integers;  meta: the epoch
#pragma once

#include <cstdint>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/migrate.hpp"

namespace cape::storage {

inline constexpr const char* store_file_name = "cape.db";
// Job ids are epoch << 40 + counter in 64 bits.
inline constexpr std::int64_t epoch_max = (std::int64_t{1} << 24) - 1;

const sqlite::Schema& store_schema();

struct BrokerLife {
  std::uint32_t epoch = 0;
  SubjectId highest_id = 0;  // of a stored record
};
// Raises the epoch and sets the inbox generations of earlier lives to 0, on disk before it returns.
Result<BrokerLife> begin_broker_life(sqlite::Database& db, const fs::path& file);

}  // namespace cape::storage
