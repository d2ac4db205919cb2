// What tests of the two children share: specs of the test plugins, jobs, and waiting for reports.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/source_child.hpp"

namespace cape::child {

// A test plugin as the host would have taken it in. `file` below the build's directory of test plugins.
ChildSpec spec_of(const std::string& plugin, ChildKind kind);

// Events 1, 2, ... of `subject` with these payloads.
wire::RunJob job_of(JobId id, const std::string& subject, const std::vector<std::string>& payloads);

inline constexpr int patience_ms = 20'000;
bool wait_readable(int fd, std::int64_t deadline_ns);

// Polls until `enough(reports)`; the reports so far if that does not happen within patience_ms.
template <class Report, class Child>
std::vector<Report> poll_until(Child& child, const std::function<bool(const std::vector<Report>&)>& enough) {
  std::vector<Report> reports;
  const std::int64_t deadline_ns = boot_ns() + patience_ms * ns_per_ms;
  for (child.poll(reports); !enough(reports); child.poll(reports))
    if (!wait_readable(child.fd(), deadline_ns)) {
      ADD_FAILURE() << "the child reported nothing more; " << reports.size() << " reports so far";
      break;
    }
  return reports;
}

template <class Wanted, class Report>
std::vector<Wanted> pick(const std::vector<Report>& reports) {
  std::vector<Wanted> found;
  for (const Report& report : reports)
    if (const auto* wanted = std::get_if<Wanted>(&report)) found.push_back(*wanted);
  return found;
}

template <class Wanted, class Report>
std::function<bool(const std::vector<Report>&)> at_least(std::size_t count) {
  return [count](const std::vector<Report>& reports) { return pick<Wanted>(reports).size() >= count; };
}

}  // namespace cape::child
