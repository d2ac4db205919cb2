#include "broker/publisher.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cape::broker {
namespace {

scheduler::Status never_sent(scheduler::HostId host, JobId job, std::string why) {
  return {.host = host,
          .status = {.job = job, .end = {OutcomeKind::cancelled, std::move(why)}, .started = false}};
}

}  // namespace

Publisher::Publisher(const scheduler::SchedulerPlan& plan, const Hosts& hosts, wire::BrokerEnd& transport)
    : plan_(plan), hosts_(hosts), transport_(transport) {}

void Publisher::add(scheduler::IssueJob job) {
  jobs_[job.host].push_back({.job = job.job,
                             .lambda = job.lambda,
                             .plugin = plan_.lambdas[job.lambda].plugin,
                             .hash = std::move(job.hash),
                             .subject_id = job.subject,
                             .subject = std::move(job.name),
                             .attempt = job.attempt,
                             .may_repeat = job.may_repeat,
                             .ping_ns = job.ping_ns,
                             .events = std::move(job.events)});
}

void Publisher::cancel(const scheduler::CancelJob& job) {
  // A cancel that is lost costs time alone: the job still ends, by itself or by its timeout.
  if (auto peer = hosts_.peer(job.host)) (void)transport_.send(*peer, wire::CancelJob{job.job});
}

void Publisher::flush(std::vector<scheduler::Input>& not_sent) {
  for (auto& [host, jobs] : jobs_) {
    for (std::size_t from = 0; from < jobs.size(); from += wire::jobs_per_message_max) {
      const std::size_t to = std::min(from + wire::jobs_per_message_max, jobs.size());
      send(host, std::span(jobs).subspan(from, to - from), not_sent);
    }
  }
  jobs_.clear();
}

void Publisher::send(scheduler::HostId host, std::span<wire::RunJob> jobs, std::vector<scheduler::Input>& not_sent) {
  std::vector<JobId> ids;
  for (const wire::RunJob& job : jobs) ids.push_back(job.job);
  wire::RunJobs message{{std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end())}};
  const auto peer = hosts_.peer(host);
  const Result<void> sent = peer ? transport_.send(*peer, std::move(message))
                                 : fail(ErrorCode::unavailable, "the host has no session");
  if (sent) return;
  for (JobId id : ids) not_sent.push_back(never_sent(host, id, sent.error().message));
}

}  // namespace cape::broker
