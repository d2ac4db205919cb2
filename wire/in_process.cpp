// Both ends in one process: two bounded queues, each with an eventfd that is up exactly while the queue has
// something its receiver has not been told of.
#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <mutex>

#include <fmt/format.h>

#include "core/unique_fd.hpp"
#include "wire/transport.hpp"

namespace cape::wire {
namespace {

constexpr PeerId only_peer = 1;

// One direction. One thread puts, another takes.
template <class Message>
class Queue {
 public:
  explicit Queue(std::size_t messages_max)
      : messages_max_(messages_max), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CAPE_CHECK(wakeup_);  // out of descriptors before the program has begun
  }

  Result<void> put(Message message) {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorCode::unavailable, "the other end of the in-process transport is gone");
    if (messages_.size() == messages_max_)
      return fail(ErrorCode::unavailable,
                  fmt::format("the in-process queue holds {} messages; try again when it has been read",
                              messages_max_));
    messages_.push_back(std::move(message));
    // Under the lock: were the eventfd raised behind it, a receiver that drained the queue in between would
    // be left with one that nothing lowers.
    if (!raised_) ::eventfd_write(wakeup_.get(), 1);
    raised_ = true;
    return {};
  }

  std::optional<Message> take() {
    const std::lock_guard lock(mutex_);
    if (messages_.empty()) {
      lower();
      return std::nullopt;
    }
    std::optional<Message> message(std::move(messages_.front()));
    messages_.pop_front();
    return message;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    messages_.clear();
  }

  int fd() const { return wakeup_.get(); }

 private:
  void lower() {
    eventfd_t count = 0;
    if (raised_) ::eventfd_read(wakeup_.get(), &count);
    raised_ = false;
  }

  std::mutex mutex_;
  const std::size_t messages_max_;
  std::deque<Message> messages_;
  bool raised_ = false;  // the eventfd; up from the first message until the receiver has found none
  bool closed_ = false;  // the receiver is gone
  UniqueFd wakeup_;
};

// Shared by the two ends, and by nobody else: either may go first.
struct Queues {
  explicit Queues(std::size_t messages_max) : to_broker(messages_max), to_host(messages_max) {}
  Queue<ToBroker> to_broker;
  Queue<ToHost> to_host;
};

class InProcessBrokerEnd final : public BrokerEnd {
 public:
  explicit InProcessBrokerEnd(std::shared_ptr<Queues> queues) : queues_(std::move(queues)) {}
  ~InProcessBrokerEnd() override { queues_->to_broker.close(); }

  Result<void> send(PeerId peer, ToHost message) override {
    if (peer != only_peer)
      return fail(ErrorCode::unavailable, fmt::format("no host has the number {}", peer));
    return queues_->to_host.put(std::move(message));
  }
  std::optional<FromHost> receive() override {
    auto message = queues_->to_broker.take();
    if (!message) return std::nullopt;
    return FromHost{only_peer, *std::move(message)};
  }
  int fd() const override { return queues_->to_broker.fd(); }
  void clear_wakeup() override {}  // receive() lowers the eventfd when it finds nothing

 private:
  std::shared_ptr<Queues> queues_;
};

class InProcessHostEnd final : public HostEnd {
 public:
  explicit InProcessHostEnd(std::shared_ptr<Queues> queues) : queues_(std::move(queues)) {}
  ~InProcessHostEnd() override { queues_->to_host.close(); }

  Result<void> send(ToBroker message) override { return queues_->to_broker.put(std::move(message)); }
  std::optional<ToHost> receive() override { return queues_->to_host.take(); }
  int fd() const override { return queues_->to_host.fd(); }
  void clear_wakeup() override {}

 private:
  std::shared_ptr<Queues> queues_;
};

}  // namespace

InProcessPair make_in_process_transport(std::size_t messages_max) {
  CAPE_CHECK(messages_max > 0);
  auto queues = std::make_shared<Queues>(messages_max);
  return {std::make_unique<InProcessBrokerEnd>(queues), std::make_unique<InProcessHostEnd>(queues)};
}

}  // namespace cape::wire
