// core/config/config.hpp
// Config is cape.toml as values: checked, with defaults filled in and paths made absolute. load_config
// reports every mistake in keys and values at once (a TOML syntax error alone). Immutable once loaded.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace cape {

namespace fs = std::filesystem;

struct Grant {
  std::vector<fs::path> read;   // absolute
  std::vector<fs::path> write;  // absolute
  std::vector<fs::path>
      code;  // absolute; read, and libraries in them may be loaded until create has returned
  bool state = false;
  std::vector<std::uint16_t> network;  // TCP ports to which connections may be made, on any address
  std::uint32_t read_line = 0, write_line = 0, code_line = 0;  // where they stand in the file
  bool has_files() const { return !read.empty() || !write.empty() || !code.empty() || state; }
  bool empty() const { return !has_files() && network.empty(); }
};

// What a child may use. Defaults stand in docs/operations.md.
struct Limits {
  std::uint64_t memory_bytes = 512u << 20;  // of private memory
  std::uint64_t file_bytes = 1u << 30;      // of one file it writes; 0 in profile pure
  std::uint32_t threads = 64;
  std::uint32_t files = 64;               // open descriptors
  std::uint32_t output_bytes = 1u << 20;  // of one event's output
  double cpu_cores = 0;                   // of processor time; 0: no limit
  std::uint64_t recycle_bytes = 0;        // resident; a child with more is replaced; 0: 3/4 of memory_bytes
  std::uint32_t log_lines_per_s = 100;    // of each child; bursts of a few seconds' worth are let through
};

struct DomainConfig {
  std::string name;
  std::string source;              // plugin id
  std::string config_json = "{}";  // the TOML table as JSON
  Grant grant;
  Limits limits;
  std::int64_t timeout_ms = 60'000;           // of one source call without answer or heartbeat
  std::int64_t timeout_max_ms = 3'600'000;    // without answer
  std::uint32_t queries_per_s = 0;            // asked of its source at most; 0: no bound
  std::optional<DomainIndex> shadow_of = {};  // see shadow.hpp: the domain whose source is read
};

struct RetryPolicy {
  std::int64_t first_ms = 200;
  double factor = 2;
  std::int64_t max_ms = 300'000;
  std::uint32_t park_after = 0;  // attempts; 0: retried for ever
};

enum class Mode : std::uint8_t { strict, pipelined, latest };
const char* name_of(Mode mode);

struct StartPosition {
  enum class Kind : std::uint8_t { beginning, latest, sequence };
  Kind kind = Kind::beginning;
  Sequence sequence = 1;  // for Kind::sequence: the first one to run
};

// When a lambda is left alone for a while because whatever it does fails, as when something that it calls is
// down.
struct BreakerPolicy {
  bool enabled = true;
  std::uint32_t subjects = 5;  // so many different ones failed in a row, and nothing succeeded between
  std::int64_t probe_max_ms = 10'000;  // the longest wait between two probes
};

// How a new version of a lambda's plugin is tried on some of the subjects before it gets all of them. What is
// compared is what both versions did in the same stage.
struct CanaryPolicy {
  std::uint32_t share = 500;      // of 10,000 subjects, in the first stage; 1 to 10,000
  std::int64_t for_ms = 600'000;  // of a stage
  // The new version is given up if its rate of failed attempts, or the 95th percentile of what an event takes,
  // is more than so many times the old one's. 0: not compared.
  double errors_factor = 2, p95_factor = 2;

  bool operator==(const CanaryPolicy&) const = default;
};

// Labels of a host, and those that a lambda asks of one: `zone = "eu"`.
using HostLabels = std::map<std::string, std::string>;

struct LambdaConfig {
  std::string name;
  std::string plugin;              // plugin id
  std::vector<std::string> needs;  // lambdas of the same topology, whose outputs it gets
  HostLabels where;                // only hosts with all of these labels run it
  BreakerPolicy breaker;
  std::optional<CanaryPolicy> canary = {};  // none: a new version gets every subject at once
  std::string config_json = "{}";
  Grant grant;
  Limits limits;
  std::uint32_t children_max = 2;  // 1 with a state or write grant
  std::int64_t timeout_ms = 300'000;
  std::int64_t timeout_max_ms = 3'600'000;
};

// What is done about an event that appeared below a bound its source had given, behind the cursor.
enum class Late : std::uint8_t {
  report,  // it is counted, and an exception of what is proven
  run,     // besides, each lambda gets it on its own
};

struct TopologyConfig {
  std::string name;
  DomainIndex domain = 0;
  Mode mode = Mode::strict;
  StartPosition start;
  std::vector<TopologyIndex> after;
  RetryPolicy retry;
  std::uint32_t batch_events = 256;             // most events of a job
  std::uint64_t batch_bytes = 256u << 10;       // payload of a job; one event is always allowed
  std::uint32_t events_per_s = 0;               // issued at most; 0: no bound
  std::uint32_t jobs_max = 0;                   // in flight at once; 0: no bound
  std::uint32_t weight = 1;                     // its share where topologies compete
  std::uint64_t outputs_bytes_max = 4u << 20;   // kept for one subject's dependants
  std::int64_t stuck_after_ms = 600'000;        // a subject that fails for longer is an exception
  std::optional<TopologyIndex> shadow_of = {};  // see shadow.hpp: the topology whose events run again
  Late late = Late::report;
  std::vector<LambdaConfig> lambdas;
};

struct RefreshConfig {
  bool enabled = true;
  std::uint32_t subjects_per_s = 10'000;
};

// When a new version of a plugin counts as slower by far, so that the last good one comes back.
struct RollbackConfig {
  double slower = 5;          // times the p95 of the last good version; 0: never
  std::int64_t above_ms = 10;  // and the new version's p95 is above this
  std::uint32_t events = 100;  // of each version that are compared at least
};

struct ListenConfig {  // ZeroMQ endpoints; ipc:// below data_dir/run unless configured
  std::string push, ping, hosts, admin, monitor;
};

// What a host may be called: letters, digits, '.', '_' and '-', 1 to 63 in all.
bool is_host_name(std::string_view text);

struct HostConfig {     // of `cape host`
  std::string name;     // empty: the machine's
  std::string connect;  // ZeroMQ endpoint of the broker's socket for hosts; listen.hosts unless configured
  HostLabels labels;
  std::uint32_t jobs_max = 0;  // of all lambdas that it takes at once; 0: what each lambda takes
};

// A key whose signatures of plugin files count. In the config: "NAME:PUBLIC", PUBLIC being 64 hex digits.
struct TrustedKey {
  std::string name;  // for people
  std::string hex;   // Ed25519, 64 small hex digits
};

// SIGTERM: how long jobs that run may take to finish, in the broker's eyes and in the host's. Then they are
// cancelled and killed, and run again after the next start.
inline constexpr std::int64_t drain_max_ms = 10'000;

struct Config {
  fs::path file;      // absolute path of cape.toml
  fs::path data_dir;  // absolute
  std::vector<fs::path> plugins;
  RefreshConfig refresh;
  RollbackConfig rollback;
  ListenConfig listen;
  HostConfig host;
  fs::path keys_dir;  // absolute; empty: no CURVE keys, so tcp on loopback alone
  std::uint64_t payload_bytes_max = 1u << 20;
  std::uint64_t outputs_bytes_max = 256u << 20;  // kept for dependants in all
  bool require_signature = false;                // of plugin files in `plugins`; those that ship need none
  std::vector<TrustedKey> trusted_keys;
  char sandbox_require = 'B';                    // A..D: a child that reaches less is refused
  std::int64_t lease_ms = 10'000;
  std::vector<DomainConfig> domains;
  std::vector<TopologyConfig> topologies;

  const DomainConfig* domain(std::string_view name) const;
  const TopologyConfig* topology(std::string_view name) const;
  fs::path base_dir() const { return file.parent_path(); }  // what relative paths are relative to
  fs::path run_dir() const { return data_dir / "run"; }
  fs::path journal_dir(const DomainConfig& d) const { return data_dir / "journal" / d.name; }
  fs::path state_dir(const DomainConfig& d) const { return data_dir / "state" / "domain" / d.name; }
  fs::path state_dir(const TopologyConfig& t, const LambdaConfig& l) const {
    return data_dir / "state" / t.name / l.name;
  }
};

// One thing wrong in the file: where, which key, what was expected.
struct ConfigMistake {
  std::uint32_t line = 0;  // 0: not about one line
  std::string key;         // dotted: topology.audit.retry.first
  std::string message;     // what was expected, and the next step
};

using ConfigResult = std::expected<Config, std::vector<ConfigMistake>>;

ConfigResult load_config(const fs::path& file);
// The same from text, as if it stood in `file`. Does no I/O.
ConfigResult parse_config(std::string_view text, const fs::path& file);
// What is wrong with the directories that grants name, as this machine has them: `cape up` would find it only
// when it starts their children. Looks at the file system.
std::vector<ConfigMistake> grant_mistakes(const Config& config);
// cape.toml: `given` (--config), else $CAPE_CONFIG, else ./cape.toml.
fs::path find_config(const std::optional<fs::path>& given);
std::string to_text(const std::vector<ConfigMistake>& mistakes, const fs::path& file);

}  // namespace cape
