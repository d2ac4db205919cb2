// host/worker/session.hpp
// Session is the host's side of its talk with the broker: hello, heartbeats, the lease that their answers
// renew, and what waits to be sent. It decides nothing about jobs. Thread: the host loop.
//
//   begin() ── hello ──▶ broker ── welcome ──▶ lease until hello + lease
//              heartbeat every lease / 3 ── answer ──▶ lease until heartbeat + lease
//              HelloPlease of this session ──▶ end every job, then begin() with a new one
//              HelloPlease{0} ──▶ a new connection: a heartbeat at once, whose answer tells if we are known
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/transport.hpp"

namespace cape::host {

struct SessionOptions {
  std::string host;
  std::uint64_t home = 1;
  std::vector<wire::HostLambda> lambdas;  // of the host's config, in its order
  std::map<std::string, std::string> labels = {};
  std::uint32_t jobs_max = 0;                   // of all lambdas at once; 0: what each takes
  std::int64_t lease_ns = 0;                    // until the broker's welcome says another
  std::function<SessionId()> new_session = {};  // never 0, never the same again; empty: random numbers
};

class Session {
 public:
  // Borrows `transport`, which must outlive it.
  Session(wire::HostEnd& transport, SessionOptions options);

  // Says hello in a new session.
  void begin(std::int64_t now_ns, std::vector<wire::PluginOffer> offers);
  bool is_open() const { return id_ != 0; }
  // The session is over; nothing is sent until begin().
  void close();

  void offer(std::vector<wire::PluginOffer> offers);
  void credit(wire::HostCredit credit);  // the session is filled in
  void report_statuses(std::vector<wire::JobStatus> statuses);
  void report(wire::HostReport report);
  void goodbye();
  // Sends what can be sent now. What cannot stays queued, in order: statuses, which the jobs out bound, and
  // of offers and of each lambda's credit the newest alone.
  void flush();
  bool has_unsent() const { return !unsent_.empty(); }
  const std::string& trouble() const { return trouble_; }  // why the last message could not be sent

  // Boot time; nullopt: no session.
  std::optional<std::int64_t> heartbeat_due_ns() const;
  void heartbeat(std::int64_t now_ns, std::vector<wire::RunningEvent> running);

  // ---- what came. The end of the lease, if that renewed it.
  std::optional<std::int64_t> take(const wire::BrokerWelcome& welcome);
  std::optional<std::int64_t> take(const wire::HeartbeatAnswer& answer);
  // true: the broker does not know this session, which must end. false: it is about an older one.
  bool take(const wire::HelloPlease& please);
  // Are these jobs, or is this cancel, of this session?
  bool is_current(SessionId session) const { return is_open() && session == id_; }
  bool welcomed() const { return is_open() && welcomed_; }

 private:
  void send(wire::ToBroker message);
  std::int64_t heartbeat_every_ns() const { return lease_ns_ / 3; }

  wire::HostEnd& transport_;
  std::string host_;
  std::uint64_t home_;
  std::vector<wire::HostLambda> lambdas_;
  std::map<std::string, std::string> labels_;
  std::uint32_t jobs_max_;
  std::int64_t lease_ns_;
  std::function<SessionId()> new_session_;
  SessionId id_ = 0;
  bool welcomed_ = false;
  std::int64_t hello_ns_ = 0, heartbeat_ns_ = 0;  // when each was last sent
  bool heartbeat_asked_ = false;
  std::deque<wire::ToBroker> unsent_;
  std::string trouble_;
};

}  // namespace cape::host
