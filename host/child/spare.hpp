// host/child/spare.hpp
// Spare keeps one runner ready for the next child: a process in namespaces of its own, in a control group,
// past exec and loader, that has been told nothing. A child without grants may be made of it, and is ready
// sooner by what that took. Everything that a plugin's sandbox consists of comes afterwards, by the same
// steps as for a child that is started anew. Thread: the one that starts children and lives as long as they
// do.
#pragma once

#include <memory>

#include "host/child/child_spec.hpp"

namespace cape::child {

class RunningProcess;

class Spare {
 public:
  Spare();
  ~Spare();  // ends what waits

  // A child that it is for may come. take() expects the next one.
  void expect() { due_ = true; }
  // One was expected since the last refill().
  bool is_due() const { return due_; }
  // Takes as long as a start, some milliseconds. What fails is not told: the next child is started anew and
  // tells.
  void refill();
  // null: nothing waits, or it is not for such a child.
  std::unique_ptr<RunningProcess> take(const ChildSpec& spec);

 private:
  std::unique_ptr<RunningProcess> waiting_;
  bool due_ = false;
};

}  // namespace cape::child
