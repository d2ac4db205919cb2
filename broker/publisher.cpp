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

constexpr std::size_t message_events_max = 65'536;
constexpr std::uint64_t message_payload_max = 8u << 20;

// How many of the jobs, at least one, go into a message that every host takes.
std::size_t fitting(std::span<const wire::RunJob> jobs) {
  std::size_t count = 0, events = 0;
  std::uint64_t bytes = 0;
  for (; count < jobs.size() && count < wire::jobs_per_message_max; ++count) {
    const EventRange& range = jobs[count].events;
    events += range.count;
    for (std::uint32_t i = 0; i < range.count; ++i) bytes += range[i].payload_bytes;
    for (const wire::JobInput& input : jobs[count].inputs)
      for (const OutputPtr& output : input.outputs) bytes += output ? output->size() : 0;
    if (count > 0 && (events > message_events_max || bytes > message_payload_max)) break;
  }
  return count;
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
                             .late = job.late,
                             .ping_ns = job.ping_ns,
                             .events = std::move(job.events),
                             .outputs_bytes_max = job.outputs_bytes_max,
                             .inputs = std::move(job.inputs)});
}

void Publisher::cancel(const scheduler::CancelJob& job) {
  // A cancel that is lost costs time alone: the job still ends, by itself or by its timeout.
  if (const Hosts::Session* session = hosts_.find(job.host))
    (void)transport_.send(session->peer, wire::CancelJob{session->session, job.job});
}

void Publisher::flush(std::vector<scheduler::Input>& not_sent) {
  for (auto& [host, jobs] : jobs_)
    for (std::size_t from = 0; from < jobs.size();) {
      const std::size_t count = fitting(std::span(jobs).subspan(from));
      send(host, std::span(jobs).subspan(from, count), not_sent);
      from += count;
    }
  jobs_.clear();
}

void Publisher::send(scheduler::HostId host, std::span<wire::RunJob> jobs,
                     std::vector<scheduler::Input>& not_sent) {
  const auto refuse = [&](const std::string& why) {
    for (const wire::RunJob& job : jobs) not_sent.push_back(never_sent(host, job.job, why));
  };
  const Hosts::Session* session = hosts_.find(host);
  if (!session) return refuse("the host has no session");
  std::vector<JobId> ids;
  wire::RunJobs message{.session = session->session, .jobs = {}};
  for (wire::RunJob& job : jobs) {
    ids.push_back(job.job);
    job.lambda = session->its.at(job.lambda);  // it gave credit for it
    message.jobs.push_back(std::move(job));
  }
  const Result<void> sent = transport_.send(session->peer, std::move(message));
  if (sent) return;
  for (JobId id : ids) not_sent.push_back(never_sent(host, id, sent.error().message));
}

}  // namespace cape::broker
