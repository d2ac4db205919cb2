// storage/canary_row.hpp
// Canary as a row of the store, in both directions. Inside storage only.
#pragma once

#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "storage/canary.hpp"
#include "storage/sqlite/database.hpp"

namespace cape::storage {

inline constexpr std::string_view put_canary_sql =
    "INSERT OR REPLACE INTO canary(topology, lambda, stable_hash, stable_version, candidate_hash, "
    "candidate_version, stable_in_twin, share, began_wall_ns, rejected, verdict, verdict_wall_ns)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
inline constexpr std::string_view read_canaries_sql =
    "SELECT topology, lambda, stable_hash, stable_version, candidate_hash, candidate_version, "
    "stable_in_twin, "
    "share, began_wall_ns, rejected, verdict, verdict_wall_ns FROM canary ORDER BY topology, lambda";

Result<void> write_canary(sqlite::Statement& put, const Canary& canary);
Result<std::vector<Canary>> read_canaries(sqlite::Statement& read);

}  // namespace cape::storage
