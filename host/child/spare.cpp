#include "host/child/spare.hpp"

#include "host/child/sandbox/start.hpp"

namespace cape::child {
namespace {

// A network of its own is made with the process, and what is granted is looked for where the process was
// made: a directory that was mounted later would be missing.
bool fits(const ChildSpec& spec) {
  return spec.grant.empty();
}

}  // namespace

Spare::Spare() = default;
Spare::~Spare() = default;

void Spare::refill() {
  due_ = false;
  const Result<MachineFacts>& facts = machine_facts();
  if (waiting_ || !facts) return;
  Result<std::unique_ptr<RunningProcess>> runner = start_runner(*facts, false);
  if (runner) waiting_ = std::move(*runner);
}

std::unique_ptr<RunningProcess> Spare::take(const ChildSpec& spec) {
  if (!fits(spec)) return nullptr;
  expect();
  if (!waiting_) return nullptr;
  waiting_->poll();
  if (waiting_->end() != nullptr) waiting_.reset();  // somebody killed it
  return std::move(waiting_);
}

}  // namespace cape::child
