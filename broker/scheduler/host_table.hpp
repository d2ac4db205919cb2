// broker/scheduler/host_table.hpp
// HostTable knows the host sessions, what they take and when their lease ends. Hosts are few: lists in the
// order of their ids, never hashed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/scheduler/messages.hpp"

namespace cape::scheduler {

struct HostCredit {
  std::uint32_t jobs_max = 0;
  std::uint32_t jobs_out = 0;
  std::string hash;
  std::string trouble;

  std::uint32_t room() const { return jobs_max > jobs_out ? jobs_max - jobs_out : 0; }
};

struct Host {
  HostId id = 0;
  std::string name;
  std::int64_t heartbeat_ns = 0;  // boot time of the last one
  std::uint32_t jobs_max = 0;     // in all; 0: no bound but the credits
  std::uint32_t jobs_out = 0;
  std::vector<HostCredit> credits;          // by LambdaIndex
  std::vector<wire::RunningEvent> running;  // as the last heartbeat said

  std::uint32_t room(LambdaIndex lambda) const {
    return jobs_max == 0 || jobs_out < jobs_max ? credits[lambda].room() : 0;
  }
};

class HostTable {
 public:
  // `silence_ns`: after this long without a heartbeat a host is lost.
  HostTable(std::size_t lambdas, std::int64_t silence_ns) : lambdas_(lambdas), silence_ns_(silence_ns) {}

  void add(HostId id, std::string name, std::uint32_t jobs_max, std::int64_t now_ns);
  const Host* find(HostId id) const;
  Host* find(HostId id) { return const_cast<Host*>(std::as_const(*this).find(id)); }
  void remove(HostId id);
  // The host with the most room for the lambda, of these the lowest id; null: none has any.
  Host* with_room(LambdaIndex lambda);
  // Some host takes a number of jobs in all, so lambdas compete.
  bool share_places() const;
  bool takes(LambdaIndex lambda) const;             // some host takes jobs of it, if not now
  std::uint32_t jobs_of(LambdaIndex lambda) const;  // that hosts have
  // Why no host takes jobs of the lambda, in a host's words; empty: one does, or none said.
  std::string trouble(LambdaIndex lambda) const;
  // The first host whose silence is too long at `now_ns`.
  const Host* first_lost(std::int64_t now_ns) const;
  std::optional<std::int64_t> next_deadline() const;
  std::size_t size() const { return hosts_.size(); }

 private:
  std::size_t lambdas_;
  std::int64_t silence_ns_;
  std::vector<Host> hosts_;  // by id, rising
};

}  // namespace cape::scheduler
