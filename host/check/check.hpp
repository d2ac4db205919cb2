// host/check/check.hpp
// What `cape plugin check` looks at. A Check is one promise a plugin must keep, with an id that never changes
// its meaning: S reads the file and runs nothing of it, L loads it, C runs a lambda, E runs an event source,
// F runs a lambda many times. S checks read in a confined child each (reading.hpp); L, C, E and F run in
// children of their own, in the sandbox that production has. Thread: one; run() may block for check_ms_max a
// child it starts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/child/child_spec.hpp"

namespace cape::check {

enum class Verdict : std::uint8_t { pass, information, warning, skipped, fail, crashed, timeout };
const char* name_of(Verdict verdict);
// Must the plugin not be dropped?
inline bool is_bad(Verdict verdict) {
  return verdict >= Verdict::fail;
}

struct Finding {
  Verdict verdict = Verdict::pass;
  std::string text;  // why, and what to do; printable
  // skipped, although the promise is this plugin's: create refused the settings, or the source had no data.
  bool starved = false;
};

// The file under check.
struct Bench {
  child::PluginImagePtr image;
  std::span<const std::uint8_t> bytes;  // of it
  std::uint32_t mode = 0;               // of the file
  Finding form;                         // of S1: not a pass: it is no library, and the others are skipped
  Finding note, abi;                    // of S2 and S3
  child::ManifestReport manifest;       // as far as it could be read
  std::string settings_json = "{}";     // config for create
  Grant grant;                          // what the operator would grant; state comes of itself
  std::uint64_t seed = 1;
  bool in_process = false;  // nothing is confined

  bool is_library() const { return form.verdict == Verdict::pass; }
  bool is_plugin() const {
    return is_library() && note.verdict == Verdict::pass && abi.verdict == Verdict::pass;
  }
};

inline constexpr std::int64_t check_ms_max = 10'000;

struct Check {
  const char* id;       // "S4"
  const char* promise;  // a sentence that ends without a full stop
  Finding (*run)(const Bench& bench);
};

std::span<const Check> static_checks();
std::span<const Check> load_checks();
std::span<const Check> lambda_checks();
std::span<const Check> drill_checks();  // of lambdas, too
std::span<const Check> batch_checks();  // of lambdas, too
std::span<const Check> source_checks();
std::span<const Check> volume_checks();  // F
std::vector<Check> all_checks();         // in the order of their ids

}  // namespace cape::check
