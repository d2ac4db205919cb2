#include "host/worker/metric_totals.hpp"

#include <cmath>

#include "host/child/layout.hpp"

namespace cape::host {

// Null: it has no room, or another child of the lambda counts something else by that name.
MetricTotals::Total* MetricTotals::find(LambdaIndex lambda, const child::ChildMetric& metric) {
  auto& of_lambda = totals_[lambda];
  const auto known = of_lambda.find(metric.name);
  if (known != of_lambda.end()) return known->second.is_gauge == metric.is_gauge ? &known->second : nullptr;
  if (of_lambda.size() >= child::metrics_max) return nullptr;
  return &(of_lambda[metric.name] = {.is_gauge = metric.is_gauge});
}

void MetricTotals::add(LambdaIndex lambda, std::span<const child::ChildMetric> metrics) {
  for (const child::ChildMetric& metric : metrics) {
    Total* total = find(lambda, metric);
    if (total != nullptr && std::isfinite(total->value + metric.value)) total->value += metric.value;
  }
}

void MetricTotals::ended(LambdaIndex lambda, std::span<const child::ChildMetric> metrics) {
  for (const child::ChildMetric& metric : metrics)
    if (!metric.is_gauge) add(lambda, {&metric, 1});
}

std::vector<wire::LambdaMetric> MetricTotals::all() const {
  std::vector<wire::LambdaMetric> found;
  for (const auto& [lambda, totals] : totals_)
    for (const auto& [name, total] : totals)
      if (found.size() < wire::metrics_per_message_max)
        found.push_back({.lambda = lambda, .name = name, .is_gauge = total.is_gauge, .value = total.value});
  return found;
}

}  // namespace cape::host
