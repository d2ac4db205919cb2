// storage/commit_thread.hpp
// CommitThread runs a GroupWriter on a thread of its own: it takes everything that was submitted meanwhile
// into one group, reports results in the order of submission, and syncs what is left over when that is due.
// With nothing to do it sleeps without a timer. Thread: all calls from one thread. Destruction commits and
// syncs what was submitted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/unique_fd.hpp"
#include "storage/cursor_store.hpp"
#include "storage/group_writer.hpp"

namespace cape::storage {

class CommitThread {
public:
  static Result<std::unique_ptr<CommitThread>> start(std::unique_ptr<GroupWriter> writer);
  ~CommitThread();

  Ticket submit(WriteBatch batch);  // the caller bounds what is queued, see queued_rows()
  std::vector<CommitDone> poll();
  int fd() const { return wakeup_.get(); }
  std::size_t queued_rows() const { return queued_rows_.load(std::memory_order_relaxed); }

private:
  struct Submitted {
    Ticket ticket = 0;
    WriteBatch batch;
  };
  explicit CommitThread(std::unique_ptr<GroupWriter> writer) : writer_(std::move(writer)) {}
  void run();
  bool wait_for_work(std::vector<Submitted>& group);
  void commit(const std::vector<Submitted>& group);
  void report(const std::vector<Submitted>& group, std::vector<Result<void>> results);

  std::unique_ptr<GroupWriter> writer_;  // the thread's alone once it runs
  UniqueFd wakeup_;                      // eventfd: readable while done_ is not empty
  Ticket last_ticket_ = 0;
  std::atomic<std::size_t> queued_rows_ = 0;

  std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Submitted> queue_;  // under mutex_
  std::vector<CommitDone> done_;  // under mutex_
  bool stopping_ = false;         // under mutex_
  std::thread thread_;
};

}  // namespace cape::storage
