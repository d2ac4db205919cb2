// What an event source answered, checked against what it was asked: the form of every answer that the broker
// sees is proven here. Error::protocol names the call, the subject and what is wrong. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "host/child/responses.hpp"
#include "host/child/source_child.hpp"

namespace cape::child {

struct AskedCall {
  CallId id = 0;
  bool is_scan = false;
  // query
  std::vector<SourceQuery> queries;
  std::uint32_t max_events = 0;
  std::size_t answered = 0;  // the next answer is about queries[answered]
  // scan
  std::string token;
  std::uint32_t max_subjects = 0;
};

// Rules: start <= next_start <= max(start, latest + 1); progress whenever `more` or whenever `latest` is not
// below start; sequences rising within [start, next_start - 1]; no more than max_events; no payload above
// payload_bytes_max; the answers of a call in order.
Result<QueryAnswer> read_query_answer(Bytes body, const AskedCall& asked, std::uint64_t payload_bytes_max);

struct ReadScan {
  ScanAnswer answer;
  std::uint64_t ill_formed = 0;  // subjects left out
  std::string first_ill_formed;  // printable
};
// Rules: subjects rising by bytes and above the token, latest not negative, no more than max_subjects, at
// least one when `more`.
Result<ReadScan> read_scan_answer(Bytes body, const AskedCall& asked);

}  // namespace cape::child
