// wire/messages.hpp
// Every message between the parts of Cape, as plain structs. wire/codec.hpp turns them into msgpack and back;
// in one process they travel as they are. Limits stand beside the fields; a decoder refuses more.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/event.hpp"
#include "core/types.hpp"

namespace cape::wire {

inline constexpr std::uint32_t protocol_version = 1;
inline constexpr std::size_t message_bytes_max = 64u << 20;
inline constexpr std::size_t jobs_per_message_max = 1024;
inline constexpr std::size_t events_per_job_max = 4096;
inline constexpr std::size_t inputs_per_job_max = 32;  // lambdas whose outputs a job carries
inline constexpr std::size_t statuses_per_message_max = 4096;
inline constexpr std::size_t running_per_message_max = 4096;
inline constexpr std::size_t offers_per_message_max = 1024;
inline constexpr std::size_t pins_per_message_max = 1024;
inline constexpr std::size_t lambdas_per_host_max = 4096;
inline constexpr std::size_t labels_per_host_max = 64;
inline constexpr std::size_t label_bytes_max = 255;     // of a label's value
inline constexpr std::size_t children_per_message_max = 4096;
inline constexpr std::size_t set_aside_per_message_max = 1024;
inline constexpr std::size_t metrics_per_message_max = 4096;
inline constexpr std::size_t metric_name_bytes_max = 128;
inline constexpr std::size_t name_bytes_max = 71;       // domain, topology, plugin id, host, method
inline constexpr std::size_t version_bytes_max = 255;   // of a plugin
inline constexpr std::size_t hash_bytes_max = 64;
inline constexpr std::size_t file_bytes_max = 4096;     // a path
inline constexpr std::size_t layers_bytes_max = 4096;   // of each text about a sandbox
inline constexpr std::size_t admin_request_bytes_max = 1u << 20;
inline constexpr std::size_t admin_reply_bytes_max = 16u << 20;

// ---- your service -> frontend
struct Ping {
  std::string domain;
  std::string subject;
  Sequence hint = 0;  // 0: none
};
enum class PingAnswer : std::uint8_t { acknowledged, busy, refused };
struct PingReply {
  PingAnswer answer = PingAnswer::acknowledged;
  std::string reason;  // for busy and refused
};

// ---- host -> broker
struct PluginOffer {      // "I can run this"
  std::string id;         // of the manifest
  std::string version;
  std::string hash;       // SHA-256 of the file, 64 hex digits
  std::string file;       // its name, for people
  bool serves = true;     // false: it could, but other bytes of this id do
  std::uint32_t wants = 0;  // what the manifest wishes for, as in cape/plugin.h
  std::int64_t since_wall_ns = 0;  // when it was taken in, or began to serve
  std::string signed_by;  // name of the key that signed it; empty: of none that is trusted
};
// A lambda as the host's own config has it. Its place in the list is the LambdaIndex by which this session
// speaks of it, in both directions: broker and host may have read different files.
struct HostLambda {
  std::string domain, topology, name;
  std::string plugin;  // id
  bool twin = false;   // the second slot of one that has a canary: it runs another version beside the first
};
struct HostHello {        // first message of a session; no job of an older session runs there any more
  std::string host;       // its name, for people
  std::uint64_t home = 0; // of its data_dir, never 0: what an older session of another home does is not its to say
  SessionId session = 0;  // new for each life of the host, never 0
  std::vector<HostLambda> lambdas;
  std::vector<PluginOffer> offers;
  std::map<std::string, std::string> labels = {};
  std::uint32_t jobs_max = 0;  // of all lambdas that it takes at once; 0: what each lambda takes
};
struct HostOffers {       // the whole list again, after a change
  SessionId session = 0;
  std::vector<PluginOffer> offers;
};
// How many jobs of this lambda the host takes in all; the broker counts those out against it.
struct HostCredit {
  SessionId session = 0;
  LambdaIndex lambda = 0;
  std::uint32_t jobs_max = 0;
  std::string hash;     // of the plugin that will run them; empty: none serves
  std::string trouble;  // if jobs_max is 0: why (set aside, no such plugin, backing off), for `cape why`
};
struct JobStatus {
  JobId job = 0;
  // Events done in order: the last sequence that succeeded or was skipped; 0: none.
  Sequence done_to = 0;
  std::uint32_t events_done = 0;
  // What ended it: ok: all are done. Anything else is about `failed_sequence`, the one after done_to.
  Outcome end;
  std::int32_t app_code = 0;
  Sequence failed_sequence = 0;
  bool started = false;            // false: `failed_sequence` had not begun; no attempt is counted
  std::int64_t first_start_ns = 0; // boot time when its first event started; 0: never
  std::int64_t end_ns = 0;         // boot time when its last event ended
  // One for each of the events done if the job asked for outputs and there is one; else empty.
  std::vector<OutputPtr> outputs = {};
};
struct JobStatuses {
  SessionId session = 0;
  std::vector<JobStatus> statuses;
};
struct RunningEvent {
  JobId job = 0;
  Sequence sequence = 0;
};
struct HostHeartbeat {
  SessionId session = 0;
  std::int64_t sent_ns = 0;            // boot time at the host; the answer repeats it
  std::vector<RunningEvent> running;   // events that run right now
};
struct HostGoodbye {  // drained: no job runs there
  SessionId session = 0;
};
// What `cape plugin list` shows of a host. Sent on change, at most once a second.
struct ChildReport {
  LambdaIndex lambda = 0;
  std::string plugin, version, hash;
  std::int32_t pid = 0;
  char level = '-';          // A..D
  std::string layers;        // "process,userns,...": what is on
  std::string missing;       // layers the kernel refused, with the reason
  std::uint32_t restarts = 0;
  std::uint32_t recycled = 0;        // children of the lambda that were replaced for their use of memory
  std::uint64_t cpu_ms = 0;          // that it has used since its start
  std::uint64_t resident_bytes = 0;  // as last looked at; 0: not known
};
struct SetAside {
  std::string file, hash, reason;
};
struct LambdaMetric {  // a number of the plugin's own, over all its children on this host
  LambdaIndex lambda = 0;
  std::string name;
  bool is_gauge = false;  // else it only rises while the host lives
  double value = 0;       // finite
};
struct HostReport {
  SessionId session = 0;
  std::vector<ChildReport> children;
  std::vector<SetAside> set_aside;
  std::uint64_t child_starts = 0, crashes = 0;
  std::vector<LambdaMetric> metrics;
};

// ---- broker -> host
struct BrokerWelcome {
  std::uint32_t epoch = 0;
  SessionId session = 0;
  std::int64_t lease_ms = 0;
};
struct JobInput {
  std::string lambda;              // of the same topology
  std::vector<OutputPtr> outputs;  // one for each event of the job
};
struct RunJob {
  JobId job = 0;  // also the fence of its events
  LambdaIndex lambda = 0;
  std::string plugin, hash;  // which code must run it
  SubjectId subject_id = 0;
  std::string subject;
  std::uint32_t attempt = 0;  // of its first event
  bool may_repeat = false;
  bool late = false;          // its event appeared below a bound that the source had given
  std::int64_t ping_ns = 0;   // boot time of the ping that led to it, for latency
  EventRange events;          // never empty
  // Not 0: its outputs are wanted, and the job ends early behind the event with which they come to so many
  // bytes.
  std::uint64_t outputs_bytes_max = 0;
  std::vector<JobInput> inputs = {};  // of the lambdas that this one needs; at most inputs_per_job_max
};
// Jobs of a session that is over may still lie in a queue when the next one begins: the host runs only those
// of its own.
struct RunJobs {
  SessionId session = 0;
  std::vector<RunJob> jobs;
};
// Which bytes serve a lambda that has a canary, its twin, and the replays of it. Until it is said, and where no
// hash is, nothing of theirs runs.
struct ServedVersion {
  LambdaIndex lambda = 0;
  std::string hash;
  bool newest = false;  // whatever the host would run by itself: the broker's config has no canary there
};
struct ServeVersions {  // the whole list again, after a change
  SessionId session = 0;
  std::vector<ServedVersion> versions;
};
struct CancelJob {
  SessionId session = 0;
  JobId job = 0;
};
struct HeartbeatAnswer {
  SessionId session = 0;
  std::int64_t sent_ns = 0;
};
// The broker does not know this session: say hello anew. 0: it has seen a new connection and does not know
// whose it is: say anything.
struct HelloPlease {
  SessionId session = 0;
};
// In a HelloPlease: whatever session it is; a message of it could not be read.
inline constexpr SessionId every_session = UINT64_MAX;
// An operator's word on which bytes of a plugin serve; one of version and hash is empty.
struct PluginPin {
  std::string plugin;
  std::string version, hash;
};
// All pins there are: before the first job of a session, and after each change.
struct HostPins {
  SessionId session = 0;
  std::vector<PluginPin> pins;
};
// Finish what runs, give back the rest, say goodbye: the broker is about to end.
struct DrainHost {};

using ToBroker = std::variant<HostHello, HostOffers, HostCredit, JobStatuses, HostHeartbeat, HostGoodbye, HostReport>;
using ToHost = std::variant<BrokerWelcome, RunJobs, CancelJob, HeartbeatAnswer, HelloPlease, DrainHost, HostPins,
                            ServeVersions>;

// ---- cape commands <-> broker (REQ/REP style over DEALER/ROUTER): method and JSON object in, JSON object out.
struct AdminRequest {
  std::string method;  // "subject", "status", "plugins", ...
  std::string body;    // JSON, at most admin_request_bytes_max
};
struct AdminReply {
  bool ok = false;
  std::string body;  // JSON, at most admin_reply_bytes_max; not ok: {"error": "...", "code": "..."}
};

}  // namespace cape::wire
