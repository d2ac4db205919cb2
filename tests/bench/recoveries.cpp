#include <stdexcept>

#include "tests/bench/child_times.hpp"
#include "tests/host/fake_broker.hpp"

namespace cape::bench {
namespace {

constexpr const char* one_child = R"(
[topology.t]
domain = "d"
retry = { first = "1ms", max = "1ms" }
[topology.t.lambda.guest]
plugin = "dies"
children_max = 1
)";

}  // namespace

Recoveries measure_recoveries(int count) {
  test::FakeBroker broker(one_child, {"dies"});
  if (!broker.until_credit()) throw std::runtime_error("the host does not serve");
  Recoveries recoveries;
  for (JobId id = 1; recoveries.recovery_ns.size() < static_cast<std::size_t>(count); id += 2) {
    const std::int64_t begun_ns = boot_ns();
    broker.run({test::job_of(id, "segv"), test::job_of(id + 1, "fine")});
    if (!broker.until_statuses(2)) throw std::runtime_error("the host does not answer");
    const wire::JobStatus& next = broker.statuses.at(id + 1).at(0);
    if (next.end.kind != OutcomeKind::ok) throw std::runtime_error(next.end.reason);
    recoveries.recovery_ns.push_back(next.first_start_ns - begun_ns);
    recoveries.plain_ns.push_back(plain_start_ns());
    broker.statuses.clear();
  }
  return recoveries;
}

}  // namespace cape::bench
