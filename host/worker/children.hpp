// host/worker/children.hpp
// Children owns the host's child processes and does with them what the worker decided. It keeps their
// descriptors in the loop's epoll set and counts them for `cape plugin list`. Thread: the host loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/spare.hpp"
#include "host/worker/cpu_watch.hpp"
#include "host/worker/metric_totals.hpp"
#include "host/worker/worker.hpp"
#include "wire/messages.hpp"

namespace cape::host {

class Children {
 public:
  // Their descriptors go into `epoll_fd` with event data first_tag + ChildId.
  Children(int epoll_fd, std::uint64_t first_tag) : epoll_fd_(epoll_fd), first_tag_(first_tag) {}

  Result<void> start(const StartChild& what, const child::ChildSpec& spec);
  // Each does nothing, or false, for a child that has ended.
  bool give(const GiveJob& job);
  void take_back(ChildId child);
  void cancel(ChildId child);
  void kill(ChildId child, Outcome why);
  void stop(const StopChild& what);

  // At the end of a turn: rings the doorbells of children that got jobs.
  void wake();
  // Appends what `child` reported. After its ChildEnded it is gone.
  void poll(ChildId child, std::vector<Input>& out);
  void poll_all(std::vector<Input>& out);
  // Polls children that were taken back from: what they had not begun comes at once.
  void poll_taken_back(std::vector<Input>& out);
  void look(std::vector<Input>& out);  // at every child with jobs
  // What each uses: for reports(), and as ChildUsed. Tells of one that is busy without an event.
  void measure(std::int64_t now_ns, std::vector<Input>& out);
  bool any_starting() const;
  void expect_start() { spare_.expect(); }
  // Makes the next spare, which takes some milliseconds, if one is expected and none of ours is starting.
  void keep_spare();
  bool empty() const { return children_.empty(); }

  // For all there are and will be.
  void set_lease_end(std::int64_t boot_ns);

  std::vector<wire::ChildReport> reports() const;
  std::vector<wire::LambdaMetric> metrics() const;
  std::uint64_t starts() const { return starts_; }
  std::uint64_t crashes() const { return crashes_; }
  // reports(), starts() or crashes() changed since this was last called.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  struct Entry {
    std::unique_ptr<child::LambdaChild> process;
    wire::ChildReport report;
    std::string name;  // topology/lambda
    bool ready = false, has_new_jobs = false;
    bool counts = false;    // the plugin has metrics
    bool makes_way = false;  // it was asked to stop: for another one, or because nobody needs it
    bool had_jobs = false;  // since it was measured last
    CpuWatch cpu;
  };
  Entry* find(ChildId child);
  void note(Entry& entry, const child::LambdaReport& report);
  void note_usage(Entry& entry, const child::ChildUsage& usage);
  void say_end(const Entry& entry, const child::ChildEnded& ended);
  void forget_others(LambdaIndex lambda, const std::string& hash);

  int epoll_fd_;
  std::uint64_t first_tag_;
  std::int64_t lease_end_ns_ = 0;
  child::Spare spare_;
  std::map<ChildId, Entry> children_;
  std::map<LambdaIndex, std::uint32_t> recycled_of_;
  std::map<std::pair<LambdaIndex, std::string>, std::uint32_t> unasked_ends_;  // with which bytes
  std::vector<ChildId> to_wake_, taken_back_;
  MetricTotals ended_metrics_;
  std::uint64_t starts_ = 0, crashes_ = 0;
  bool changed_ = false;
};

}  // namespace cape::host
