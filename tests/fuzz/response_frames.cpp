// Frames that a child wrote, once copied: what the host takes of them has the form that the broker relies on.
//
//   input: [which decoder, 1 byte][the frame's body ...]
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "host/child/answers.hpp"

namespace {

using namespace cape;
using namespace cape::child;
constexpr std::uint64_t payload_limit = 4096;

void check_query(Bytes body) {
  const AskedCall asked{.id = 7, .queries = {{.tag = 1, .subject = "a", .start = 5}}, .max_events = 16};
  const auto answer = read_query_answer(body, asked, payload_limit);
  if (!answer || answer->status != OutcomeKind::ok) return;
  const EventBlock& block = *answer->block;
  CAPE_CHECK(block.proven_from == 5 && block.proven_to <= std::max<Sequence>(4, answer->latest));
  CAPE_CHECK(block.entries.size() <= asked.max_events);
  Sequence after = block.proven_from - 1;
  for (const EventBlock::Entry& entry : block.entries) {
    CAPE_CHECK(entry.sequence > after && entry.sequence <= block.proven_to);
    CAPE_CHECK(block.type_of(entry).size() == entry.type_bytes);
    CAPE_CHECK(block.payload_of(entry).size() == entry.payload_bytes && entry.payload_bytes <= payload_limit);
    after = entry.sequence;
  }
}

void check_scan(Bytes body) {
  const AskedCall asked{.id = 7, .is_scan = true, .token = "a", .max_subjects = 16};
  const auto read = read_scan_answer(body, asked);
  if (!read || read->answer.status != OutcomeKind::ok) return;
  CAPE_CHECK(read->answer.subjects.size() + read->ill_formed <= asked.max_subjects);
  CAPE_CHECK(!read->answer.more || read->answer.token > asked.token);
  std::string after = asked.token;
  for (const ScannedSubject& scanned : read->answer.subjects) {
    CAPE_CHECK(scanned.subject > after && subject_mistake(scanned.subject).empty() && scanned.latest >= 0);
    after = scanned.subject;
  }
}

void check_words(std::uint8_t which, Bytes body) {
  if (which == 0) (void)read_ready(body);
  if (which == 1) (void)read_output(body);
  if (which == 2)
    if (const auto done = read_job_done(body))
      CAPE_CHECK(reason_text(done->text, OutcomeKind::retry).size() <= reason_bytes_max);
  if (which == 3)
    if (const auto line = read_log(body)) CAPE_CHECK(line->text.size() <= log_bytes_max);
  if (which == 4) (void)read_metric(body);
  if (which == 5)
    if (const auto ping = read_source_ping(body)) CAPE_CHECK(subject_mistake(ping->subject).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes body(data + 1, size - 1);
  if (data[0] == 6) {
    check_query(body);
  } else if (data[0] == 7) {
    check_scan(body);
  } else {
    check_words(data[0], body);
  }
  return 0;
}
