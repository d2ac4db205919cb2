#include "storage/commit_thread.hpp"

#include <signal.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "core/clock.hpp"

namespace cape::storage {
namespace {

std::size_t rows_of(const WriteBatch& batch) {
  std::size_t rows = batch.cursors.size() + batch.inbox.size() + batch.inbox_clears.size() +
                     batch.leases.size() + batch.leases_removed.size();
  for (const ReplayPage& page : batch.replays) rows += page.added.size() + page.removed.size();
  return rows;
}

// Signals are for the threads that wait for them.
class SignalsBlocked {
public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
  sigset_t before_;
};

}  // namespace

Result<std::unique_ptr<CommitThread>> CommitThread::start(std::unique_ptr<GroupWriter> writer) {
  std::unique_ptr<CommitThread> self(new CommitThread(std::move(writer)));
  self->wakeup_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!self->wakeup_)
    return fail_errno(ErrorCode::io, "cannot make the store's eventfd; raise the limit of open files", errno);
  const SignalsBlocked blocked;
  try {
    self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail_errno(ErrorCode::io, "cannot start the store's thread; raise the limit of threads",
                      error.code().value());
  }
  return self;
}

CommitThread::~CommitThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

Ticket CommitThread::submit(WriteBatch batch) {
  queued_rows_.fetch_add(rows_of(batch), std::memory_order_relaxed);
  const Ticket ticket = ++last_ticket_;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({ticket, std::move(batch)});
  }
  work_.notify_one();
  return ticket;
}

std::vector<CommitDone> CommitThread::poll() {
  const std::lock_guard lock(mutex_);
  if (done_.empty()) return {};
  // Under the lock, so that a report that comes now makes it readable again.
  eventfd_t count = 0;
  ::eventfd_read(wakeup_.get(), &count);
  return std::exchange(done_, {});
}

void CommitThread::run() {
  std::vector<Submitted> group;
  while (wait_for_work(group)) {
    if (!group.empty()) commit(group);
    group.clear();
    writer_->sync_if_due(boot_ns());
  }
  writer_.reset();  // syncs and closes here, where blocking hurts nobody
}

// Fills `group`, or leaves it empty when a sync is due. False: stopped, and nothing is left to commit.
bool CommitThread::wait_for_work(std::vector<Submitted>& group) {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return stopping_ || !queue_.empty(); };
  if (const std::optional<std::int64_t> due_ns = writer_->sync_due_ns()) {
    work_.wait_for(lock, std::chrono::nanoseconds(*due_ns - boot_ns()), has_work);
  } else {
    work_.wait(lock, has_work);
  }
  std::swap(group, queue_);
  return !group.empty() || !stopping_;
}

void CommitThread::commit(const std::vector<Submitted>& group) {
  std::vector<const WriteBatch*> batches;
  batches.reserve(group.size());
  for (const Submitted& submitted : group) batches.push_back(&submitted.batch);
  report(group, writer_->commit(batches));
}

void CommitThread::report(const std::vector<Submitted>& group, std::vector<Result<void>> results) {
  CAPE_CHECK(results.size() == group.size());
  const std::lock_guard lock(mutex_);
  const bool was_empty = done_.empty();
  for (std::size_t i = 0; i < group.size(); ++i) {
    queued_rows_.fetch_sub(rows_of(group[i].batch), std::memory_order_relaxed);
    done_.push_back({group[i].ticket, std::move(results[i]), writer_->is_broken()});
  }
  if (was_empty) ::eventfd_write(wakeup_.get(), 1);
}

}  // namespace cape::storage
