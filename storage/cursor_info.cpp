// The stored form, msgpack, all arrays:
//
//   [1, latest, [topology, ...]], with [..., given] if anything of the subject was handed out
//   topology: [name, [lambda, ...]], with [name, [lambda, ...], pause_reason] if it is paused
//   lambda: [name, cursor]                                                              without trouble
//           [name, cursor, attempts, failed_sequence, next_try_wall_ns, parked, reason] with it
//           [..., [first, last, first, last, ...]] behind those, of what mode latest passed over
//           [..., failing_since_wall_ns] behind that, which may be empty then, since when an event fails
//           [..., [more, more_from, late, ...]] behind that, which may be 0 then, events that came too late
//   late: sequence, or [sequence, attempts, next_try_wall_ns, parked, reason] of one that failed
//   given: [given_wall_s, from, to - the last of them, run, ...]; run: 2 * gap of a single sequence, or
//          2 * gap + 1, count; the gap is that to the run before, or to `from`
//
// A subject without trouble is what nearly every record holds, and each write pays for its bytes.
#include "storage/cursor_info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <msgpack.hpp>

namespace cape::storage {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::uint32_t fields_short = 2;
constexpr std::uint32_t fields_full = 7;
constexpr std::uint32_t fields_with_passed = 8;
constexpr std::uint32_t fields_with_since = 9;
constexpr std::uint32_t fields_with_late = 10;
constexpr std::uint32_t fields_of_late = 5;
constexpr std::size_t depth_max = 7;

// Records are written by the hundred thousand: the bytes go straight into room that size_bound() made.
struct Sink {
  char* at;
  void write(const char* bytes, std::size_t count) {
    std::memcpy(at, bytes, count);
    at += count;
  }
};
using Packer = msgpack::packer<Sink>;

constexpr std::size_t header_bytes_max = 9;  // of any value: a type byte and 64 bits

std::size_t size_bound(const CursorInfo& info) {
  std::size_t bytes = (8 + 2 * info.given.runs.size()) * header_bytes_max;
  for (const TopologyCursor& topology : info.topologies) {
    bytes += 4 * header_bytes_max + topology.topology.size() + topology.pause_reason.size();
    for (const LambdaCursor& lambda : topology.lambdas) {
      bytes += (5 + fields_with_late + 2 * lambda.passed.size()) * header_bytes_max + lambda.lambda.size() +
               lambda.reason.size();
      for (const LateEvent& late : lambda.late.events)
        bytes += (1 + fields_of_late) * header_bytes_max + late.reason.size();
    }
  }
  return bytes;
}

void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

bool has_trouble(const LambdaCursor& lambda) {
  return lambda.attempts != 0 || lambda.failed_sequence != 0 || lambda.next_try_wall_ns != 0 ||
         lambda.failing_since_wall_ns != 0 || lambda.parked || !lambda.reason.empty() ||
         !lambda.passed.empty() || !lambda.late.empty();
}

void pack_late(Packer& packer, const LateEvents& late) {
  packer.pack_array(static_cast<std::uint32_t>(2 + late.events.size()));
  packer.pack(late.more);
  packer.pack(late.more_from);
  for (const LateEvent& event : late.events) {
    const bool failed =
        event.attempts != 0 || event.next_try_wall_ns != 0 || event.parked || !event.reason.empty();
    if (failed) packer.pack_array(fields_of_late);
    packer.pack(event.sequence);
    if (!failed) continue;
    packer.pack(event.attempts);
    packer.pack(event.next_try_wall_ns);
    packer.pack(event.parked);
    pack_text(packer, event.reason);
  }
}

void pack_lambda(Packer& packer, const LambdaCursor& lambda) {
  const bool full = has_trouble(lambda);
  const bool late = !lambda.late.empty();
  const bool since = late || lambda.failing_since_wall_ns != 0;
  packer.pack_array(!full                   ? fields_short
                    : late                  ? fields_with_late
                    : since                 ? fields_with_since
                    : lambda.passed.empty() ? fields_full
                                            : fields_with_passed);
  pack_text(packer, lambda.lambda);
  packer.pack(lambda.cursor);
  if (!full) return;
  packer.pack(lambda.attempts);
  packer.pack(lambda.failed_sequence);
  packer.pack(lambda.next_try_wall_ns);
  packer.pack(lambda.parked);
  pack_text(packer, lambda.reason);
  if (lambda.passed.empty() && !since) return;
  packer.pack_array(static_cast<std::uint32_t>(2 * lambda.passed.size()));
  for (const SequenceRange& range : lambda.passed) {
    packer.pack(range.first);
    packer.pack(range.last);
  }
  if (since) packer.pack(lambda.failing_since_wall_ns);
  if (late) pack_late(packer, lambda.late);
}

void pack_given(Packer& packer, const GivenWindow& given) {
  std::uint32_t singles = 0;
  for (const SequenceRange& run : given.runs) singles += run.first == run.last;
  packer.pack_array(3 + 2 * static_cast<std::uint32_t>(given.runs.size()) - singles);
  packer.pack(given.given_wall_s);
  packer.pack(given.from);
  packer.pack(given.to - (given.runs.empty() ? given.from - 1 : given.runs.back().last));
  Sequence next = given.from;
  for (const SequenceRange& run : given.runs) {
    const auto gap = static_cast<std::uint64_t>(run.first - next);
    packer.pack(2 * gap + (run.first == run.last ? 0 : 1));
    if (run.first != run.last) packer.pack(run.last - run.first + 1);
    next = run.last + 1;
  }
}

void pack_info(Packer& packer, const CursorInfo& info) {
  packer.pack_array(info.given.empty() ? 3 : 4);
  packer.pack(format_version);
  packer.pack(info.latest);
  packer.pack_array(static_cast<std::uint32_t>(info.topologies.size()));
  for (const TopologyCursor& topology : info.topologies) {
    packer.pack_array(topology.paused ? 3 : 2);
    pack_text(packer, topology.topology);
    packer.pack_array(static_cast<std::uint32_t>(topology.lambdas.size()));
    for (const LambdaCursor& lambda : topology.lambdas) pack_lambda(packer, lambda);
    if (topology.paused) pack_text(packer, topology.pause_reason);
  }
  if (!info.given.empty()) pack_given(packer, info.given);
}

std::string_view mistake_of(const GivenWindow& given) {
  if (given.from < 1 || given.to < given.from - 1 || given.given_wall_s < 0) return "its window is no window";
  Sequence last = given.from - 1;
  for (const SequenceRange& run : given.runs) {
    if (run.first <= last || run.last < run.first) return "its window does not rise";
    last = run.last;
  }
  if (last > given.to) return "its window has events above its end";
  return given.size() > GivenWindow::sequences_max ? "its window is too wide" : "";
}

std::string_view mistake_of(const LateEvents& late) {
  if (late.events.size() > late_events_max) return "it has too many late events";
  if (late.more_from < 0) return "a number is negative";
  for (const LateEvent& event : late.events) {
    if (event.sequence < 0 || event.next_try_wall_ns < 0) return "a number is negative";
    if (event.reason.size() > reason_bytes_max) return "a reason is too long";
  }
  return {};
}

// Thrown inside decode_cursor_info alone: it spares each of a dozen fields a branch of its own.
struct Refused {
  const char* what;
};

std::span<const msgpack::object> array_of(const msgpack::object& object) {
  if (object.type != msgpack::type::ARRAY) throw Refused{"an array is missing"};
  return {object.via.array.ptr, object.via.array.size};
}

std::int64_t count_of(const msgpack::object& object) {  // 0 or more
  if (object.type != msgpack::type::POSITIVE_INTEGER ||
      object.via.u64 > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Refused{"a number is out of range"};
  }
  return static_cast<std::int64_t>(object.via.u64);
}

std::string text_of(const msgpack::object& object, std::size_t bytes_min, std::size_t bytes_max) {
  if (object.type != msgpack::type::STR) throw Refused{"a text is missing"};
  if (object.via.str.size < bytes_min || object.via.str.size > bytes_max)
    throw Refused{"a text is too short or too long"};
  return {object.via.str.ptr, object.via.str.size};
}

std::vector<SequenceRange> passed_of(const msgpack::object& object) {
  const auto ends = array_of(object);
  if (ends.size() % 2 != 0 || ends.size() / 2 > passed_ranges_max) throw Refused{"it has too many ranges"};
  std::vector<SequenceRange> passed;
  for (std::size_t i = 0; i < ends.size(); i += 2)
    passed.push_back({count_of(ends[i]), count_of(ends[i + 1])});
  return passed;
}

std::uint32_t attempts_of(const msgpack::object& object) {
  const std::int64_t attempts = count_of(object);
  if (attempts > std::numeric_limits<std::uint32_t>::max()) throw Refused{"a number is out of range"};
  return static_cast<std::uint32_t>(attempts);
}

bool flag_of(const msgpack::object& object) {
  if (object.type != msgpack::type::BOOLEAN) throw Refused{"a yes or no is missing"};
  return object.via.boolean;
}

LateEvents late_of(const msgpack::object& object) {
  const auto fields = array_of(object);
  if (fields.size() < 2 || fields.size() > 2 + late_events_max) throw Refused{"it has too many late events"};
  LateEvents late{.events = {},
                  .more = static_cast<std::uint64_t>(count_of(fields[0])),
                  .more_from = count_of(fields[1])};
  for (const msgpack::object& field : fields.subspan(2)) {
    LateEvent& event = late.events.emplace_back();
    if (field.type != msgpack::type::ARRAY) {
      event.sequence = count_of(field);
      continue;
    }
    const auto parts = array_of(field);
    if (parts.size() != fields_of_late) throw Refused{"a late event has too few or too many fields"};
    event = {.sequence = count_of(parts[0]),
             .attempts = attempts_of(parts[1]),
             .next_try_wall_ns = count_of(parts[2]),
             .parked = flag_of(parts[3]),
             .reason = text_of(parts[4], 0, reason_bytes_max)};
  }
  return late;
}

// `by` above `at`, which is no sequence yet if it is 0.
Sequence above(Sequence at, std::uint64_t by) {
  if (by > static_cast<std::uint64_t>(std::numeric_limits<Sequence>::max() - at))
    throw Refused{"a number is out of range"};
  return at + static_cast<Sequence>(by);
}

GivenWindow given_of(const msgpack::object& object) {
  const auto fields = array_of(object);
  if (fields.size() < 3) throw Refused{"its window has too few fields"};
  GivenWindow given{.from = count_of(fields[1]), .given_wall_s = count_of(fields[0])};
  if (given.from == 0) throw Refused{"a number is out of range"};
  Sequence last = given.from - 1;
  for (std::size_t i = 3; i < fields.size(); ++i) {
    if (fields[i].type != msgpack::type::POSITIVE_INTEGER) throw Refused{"a number is out of range"};
    const std::uint64_t gap = fields[i].via.u64;
    const bool is_single = gap % 2 == 0;
    if (!is_single && ++i == fields.size()) throw Refused{"its window has too few fields"};
    const std::int64_t count = is_single ? 1 : count_of(fields[i]);
    if (count == 0 || static_cast<std::uint64_t>(count) > GivenWindow::sequences_max)
      throw Refused{"its window is too wide"};
    const Sequence first = above(above(last, gap / 2), 1);
    last = above(first, static_cast<std::uint64_t>(count) - 1);
    given.runs.push_back({first, last});
  }
  given.to = above(last, static_cast<std::uint64_t>(count_of(fields[2])));
  if (given.empty()) throw Refused{"its window is empty"};
  return given;
}

LambdaCursor lambda_of(const msgpack::object& object) {
  const auto fields = array_of(object);
  if (fields.size() != fields_short && (fields.size() < fields_full || fields.size() > fields_with_late))
    throw Refused{"a lambda has too few or too many fields"};
  LambdaCursor lambda;
  lambda.lambda = text_of(fields[0], 1, name_bytes_max);
  lambda.cursor = count_of(fields[1]);
  if (fields.size() == fields_short) return lambda;
  lambda.attempts = attempts_of(fields[2]);
  lambda.failed_sequence = count_of(fields[3]);
  lambda.next_try_wall_ns = count_of(fields[4]);
  lambda.parked = flag_of(fields[5]);
  lambda.reason = text_of(fields[6], 0, reason_bytes_max);
  if (fields.size() >= fields_with_passed) lambda.passed = passed_of(fields[7]);
  if (fields.size() >= fields_with_since) lambda.failing_since_wall_ns = count_of(fields[8]);
  if (fields.size() == fields_with_late) lambda.late = late_of(fields[9]);
  return lambda;
}

TopologyCursor topology_of(const msgpack::object& object) {
  const auto fields = array_of(object);
  if (fields.size() != 2 && fields.size() != 3) throw Refused{"a topology has too few or too many fields"};
  TopologyCursor topology;
  topology.topology = text_of(fields[0], 1, name_bytes_max);
  for (const msgpack::object& lambda : array_of(fields[1])) topology.lambdas.push_back(lambda_of(lambda));
  topology.paused = fields.size() == 3;
  if (topology.paused) topology.pause_reason = text_of(fields[2], 0, reason_bytes_max);
  return topology;
}

CursorInfo info_of(const msgpack::object& object) {
  const auto fields = array_of(object);
  if (fields.empty() || count_of(fields[0]) != format_version)
    throw Refused{"it has a version this Cape does not know"};
  if (fields.size() != 3 && fields.size() != 4) throw Refused{"it has too few or too many fields"};
  CursorInfo info;
  info.latest = count_of(fields[1]);
  for (const msgpack::object& topology : array_of(fields[2]))
    info.topologies.push_back(topology_of(topology));
  if (fields.size() == 4) info.given = given_of(fields[3]);
  if (const std::string_view mistake = mistake_of(info.given); !mistake.empty())
    throw Refused{mistake.data()};
  return info;
}

bool never_copy(msgpack::type::object_type, std::size_t, void*) {
  return true;
}  // the bytes outlive the objects

std::unexpected<Error> refuse(std::string_view what) {
  return fail(ErrorCode::invalid, fmt::format("not a cursor record: {}", what));
}

bool is_stored_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max;
}

std::string_view mistake_of(const LambdaCursor& lambda) {
  if (!is_stored_name(lambda.lambda)) return "a lambda's name is empty or too long";
  if (lambda.cursor < 0 || lambda.failed_sequence < 0 || lambda.next_try_wall_ns < 0 ||
      lambda.failing_since_wall_ns < 0)
    return "a number is negative";
  if (lambda.reason.size() > reason_bytes_max) return "a reason is too long";
  if (lambda.passed.size() > passed_ranges_max) return "it has too many ranges";
  if (std::ranges::any_of(lambda.passed,
                          [](const SequenceRange& range) { return range.first < 0 || range.last < 0; }))
    return "a number is negative";
  return mistake_of(lambda.late);
}

}  // namespace

Sequence TopologyCursor::cursor() const {
  const auto lowest = std::ranges::min_element(lambdas, {}, &LambdaCursor::cursor);
  return lowest == lambdas.end() ? 0 : lowest->cursor;
}

std::string_view mistake_of(const CursorInfo& info) {
  if (info.latest < 0) return "latest is negative";
  if (const std::string_view mistake = mistake_of(info.given); !mistake.empty()) return mistake;
  if (info.topologies.size() > topologies_per_subject_max) return "it has too many topologies";
  for (const TopologyCursor& topology : info.topologies) {
    if (!is_stored_name(topology.topology)) return "a topology's name is empty or too long";
    if (topology.lambdas.size() > lambdas_per_topology_max) return "a topology has too many lambdas";
    if (topology.pause_reason.size() > reason_bytes_max) return "a reason is too long";
    for (const LambdaCursor& lambda : topology.lambdas) {
      if (const std::string_view mistake = mistake_of(lambda); !mistake.empty()) return mistake;
    }
  }
  return {};
}

std::string encode(const CursorInfo& info) {
  std::string bytes;
  bytes.resize_and_overwrite(size_bound(info), [&info](char* begin, std::size_t) {
    Sink sink{begin};
    Packer packer(sink);
    pack_info(packer, info);
    return static_cast<std::size_t>(sink.at - begin);
  });
  return bytes;
}

Result<CursorInfo> decode_cursor_info(std::string_view bytes) {
  if (bytes.empty()) return refuse("it is empty");
  const std::size_t items_max = std::max(topologies_per_subject_max, lambdas_per_topology_max);
  const msgpack::unpack_limit limit(items_max, 0, reason_bytes_max, 0, 0, depth_max);
  try {
    std::size_t offset = 0;
    const msgpack::object_handle handle =
        msgpack::unpack(bytes.data(), bytes.size(), offset, never_copy, nullptr, limit);
    if (offset != bytes.size()) return refuse("bytes follow it");
    return info_of(handle.get());
  } catch (const Refused& refused) {
    return refuse(refused.what);
  } catch (const msgpack::unpack_error& error) {
    return refuse(error.what());
  }
}

}  // namespace cape::storage
