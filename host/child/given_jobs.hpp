// GivenJobs is the host's private book of the jobs that one child has: which event numbers they got, what
// came back, what is left. Everything the child says is checked against it. Pure: no shared memory, no clock.
//
// Events are numbered through the child's life in the order given. The child's two words split the numbers:
//
//      0 ........ finished ........ progress ........ next_number()
//       settled      |    running      |  not started      |  not given yet
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "host/child/lambda_child.hpp"
#include "host/child/layout.hpp"
#include "host/child/responses.hpp"
#include "wire/messages.hpp"

namespace cape::child {

// The child's shared words as loaded once.
struct ChildWords {
  std::uint64_t progress = 0, finished = 0;
  Phase phase = Phase::start;
  bool operator==(const ChildWords&) const = default;
};

class GivenJobs {
 public:
  explicit GivenJobs(std::uint64_t output_bytes_max) : output_bytes_max_(output_bytes_max) {}

  // The child got the first `count` events of `job`.
  void add(const wire::RunJob& job, std::uint32_t count, bool singly, std::int64_t now_ns);
  std::uint64_t next_number() const { return next_number_; }
  std::size_t unsettled() const { return unsettled_; }  // given and not reported
  bool empty() const { return jobs_.empty(); }          // nor does the child owe an answer that we drop

  Result<void> take_output(const OutputView& view);
  // nullopt: it had been taken back, and the child agrees.
  Result<std::optional<ChildJobDone>> take_done(const JobDoneView& view, std::uint64_t progress,
                                                std::int64_t now_ns);
  // Settles every job whose first event is numbered `progress` or above as CANCELLED and not started.
  void take_back(std::uint64_t progress, std::vector<ChildJobDone>& out);

  struct Place {
    JobId job = 0;
    Sequence sequence = 0;
    std::string_view subject;
    std::size_t running = 0;  // events of the call it is in
  };
  // The event that runs, or the first of a batch that is being flushed; nullopt: none.
  std::optional<Place> running(ChildWords words) const;
  std::optional<Place> oldest() const;

  struct Left {
    std::vector<ChildJobDone> done;  // finished, its result not sent any more
    std::vector<wire::JobStatus> left;
    std::size_t rerun_singly = 0;  // of the first in `left`
  };
  // The child ended with `end`. Empties the book.
  Left settle(ChildWords words, bool has_flush, const Outcome& end);

 private:
  struct Given {
    JobId job = 0;
    std::uint64_t first_number = 0;
    std::uint32_t count = 0;  // events the child got; the others of the job did not fit
    bool singly = false, taken_back = false, wants_outputs = false;
    std::int64_t given_ns = 0;
    std::string subject;
    EventRange events;
    std::vector<std::string> outputs;
    std::uint64_t end_number() const { return first_number + count; }
  };
  static void hand_over(Given& given, ChildJobDone& done);
  static std::vector<OutputPtr> shared(std::vector<std::string>&& outputs, std::uint32_t events_done);
  wire::JobStatus status_of(const Given& given, std::uint32_t events_done) const;
  Result<void> check_done(const Given& given, const JobDoneFrame& frame, std::uint64_t progress) const;
  const Given* find(std::uint64_t number) const;
  std::optional<std::uint64_t> blamed(ChildWords words, bool has_flush) const;

  std::uint64_t output_bytes_max_;
  std::uint64_t next_number_ = 0;
  std::uint64_t output_bytes_ = 0;  // held for jobs not done
  std::size_t unsettled_ = 0;
  std::deque<Given> jobs_;  // in the order given
};

}  // namespace cape::child
