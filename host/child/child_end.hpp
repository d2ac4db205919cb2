// How a child ended, in a person's words: the taxonomy of ends and the sentence that goes with each. The
// first cause wins. Pure but for the resolving of system call names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/types.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/layout.hpp"
#include "host/child/process.hpp"

namespace cape::child {

// The child's last words, copied once out of its shared header and bounded.
struct LastWords {
  std::uint32_t kind = 0;  // as ResponseHeader::last_kind
  std::int32_t signal = 0, syscall = 0;
  std::uint64_t address = 0;
  std::string text;  // printable
  std::int32_t status = 0;  // of a failed init or create
  std::string check;        // "S5"; empty: none
};
LastWords read_last_words(const ResponseHeader& header);
Phase read_phase(const ResponseHeader& header);  // a value out of range is Phase::start
const char* name_of(Phase phase);

struct EndFacts {
  ProcessEnd process;
  Phase phase = Phase::start;
  LastWords words;
  bool ready = false;  // it had reported ChildReady
  bool stop_asked = false;
  std::optional<std::string> breach;  // of the protocol, found by us before the end
  bool breach_of_contract = false;    // by the plugin's own answers, not by bytes that no answer of it makes
  std::optional<Outcome> kill_why;    // we killed it for this
  std::string running;                // "event 17 of 'subject'"; empty: none
  std::string stderr_tail;            // its last line on stderr; printable
};

std::string name_signal(int signal);  // "SIGSEGV"
// "lambda 'geo' (geo-1.3.so, 9f2c1a7d)"
std::string name_child(const ChildSpec& spec);
// ok: it was asked to stop (or only to inspect) and did. The reason is printable and bounded.
Outcome describe_end(const ChildSpec& spec, const EndFacts& facts);

// What itself ended it, where describe_end() says SETUP of whatever stops a start: HUNG when it was killed
// before it was ready, the status that init or create returned.
OutcomeKind cause_of(const ChildSpec& spec, const EndFacts& facts);
// The check of intake's quick set that such an end fails: S4..S8, L1, L2, L6; empty: none of them.
std::string check_of(const ChildSpec& spec, const EndFacts& facts);

}  // namespace cape::child
