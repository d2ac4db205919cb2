// host/worker/metric_totals.hpp
// MetricTotals adds up what the children of each lambda count. A counter goes on where an ended child left
// it, so that it only rises while the host lives; a gauge is that of the children that live. At most
// metrics_max names a lambda: what is beyond is left out. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/child/lambda_child.hpp"
#include "wire/messages.hpp"

namespace cape::host {

class MetricTotals {
 public:
  void add(LambdaIndex lambda, std::span<const child::ChildMetric> metrics);    // of a child that lives
  void ended(LambdaIndex lambda, std::span<const child::ChildMetric> metrics);  // as its child left them
  std::vector<wire::LambdaMetric> all() const;                                  // by lambda, then name

 private:
  struct Total {
    bool is_gauge = false;
    double value = 0;
  };
  Total* find(LambdaIndex lambda, const child::ChildMetric& metric);

  std::map<LambdaIndex, std::map<std::string, Total>> totals_;
};

}  // namespace cape::host
