// What drill F3 shows a lambda: the tables of the oldest host that its manifest can name, ABI 1.0. Each ends,
// by its struct_size and in memory, behind the last field of that version; the page after it cannot be read.
// A plugin that uses a newer field without CAPE_HAS dies of it there, not one day on an older host.
// When a minor adds a field to a table, its size here stays. Thread: main.
#pragma once

#include <cape/plugin.h>

#include <cstddef>
#include <cstdint>

#include "host/child/runner/drill.hpp"

namespace cape::child {

// Bytes up to the end of the last field of 1.0.
inline constexpr std::uint32_t host_bytes_1_0 =
    offsetof(cape_host, get_extension) + sizeof(cape_host::get_extension);
inline constexpr std::uint32_t call_bytes_1_0 =
    offsetof(cape_call, deadline_ns) + sizeof(cape_call::deadline_ns);
inline constexpr std::uint32_t event_bytes_1_0 =
    offsetof(cape_event, reserved) + sizeof(cape_event::reserved);

// The first `bytes` of `table`, for as long as `pages` has them; `table` itself if there is no memory.
template <class Table>
const Table* older_table(const Table& table, std::uint32_t bytes, FencedBytes& pages) {
  Table cut = table;
  cut.struct_size = bytes;
  if constexpr (requires { cut.abi_minor; }) cut.abi_minor = 0;
  const auto* at = reinterpret_cast<const std::uint8_t*>(&cut);
  const cape_bytes fenced = pages.fence({at, bytes});
  return fenced.ptr == at ? &table : reinterpret_cast<const Table*>(fenced.ptr);
}

inline const cape_host* older_host(const cape_host& table, FencedBytes& pages) {
  return older_table(table, host_bytes_1_0, pages);
}
// The functions of a cape_call take it as they gave it out: nothing is written there.
inline cape_call* older_call(const cape_call& table, FencedBytes& pages) {
  return const_cast<cape_call*>(older_table(table, call_bytes_1_0, pages));
}
inline const cape_event* older_event(const cape_event& event, FencedBytes& pages) {
  return older_table(event, event_bytes_1_0, pages);
}

}  // namespace cape::child
