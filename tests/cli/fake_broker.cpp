#include "tests/cli/fake_broker.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <zmq.hpp>

#include "wire/codec.hpp"
#include "wire/zmq/envelope.hpp"

namespace cape::cli {
namespace fs = std::filesystem;

struct FakeBroker::State {
  explicit State(FakeAnswers given) : answers(std::move(given)) {}

  void bind(const fs::path& run_dir);
  void serve();
  void take_pushed();

  FakeAnswers answers;
  zmq::context_t context{1};
  zmq::socket_t push{context, zmq::socket_type::pull};
  zmq::socket_t ping{context, zmq::socket_type::router};
  zmq::socket_t admin{context, zmq::socket_type::router};
  zmq::socket_t stop{context, zmq::socket_type::pair};     // the thread's end
  zmq::socket_t stopper{context, zmq::socket_type::pair};  // the test's end
  std::mutex mutex;
  std::condition_variable more;
  std::deque<wire::Ping> pings;  // guarded by mutex
  std::thread thread;
};

void FakeBroker::State::bind(const fs::path& run_dir) {
  fs::create_directories(run_dir);
  fs::permissions(run_dir, fs::perms::owner_all);
  push.bind("ipc://" + (run_dir / "push.sock").string());
  ping.bind("ipc://" + (run_dir / "ping.sock").string());
  admin.bind("ipc://" + (run_dir / "admin.sock").string());
  stop.bind("inproc://stop");
  stopper.connect("inproc://stop");
}

void FakeBroker::State::take_pushed() {
  while (const auto message = wire::receive_envelope(push)) {
    auto decoded = wire::decode_ping(message->payload);
    if (!decoded) continue;
    const std::lock_guard lock(mutex);
    pings.push_back(std::move(*decoded));
    more.notify_all();
  }
}

void FakeBroker::State::serve() {
  zmq::pollitem_t items[] = {{push.handle(), 0, ZMQ_POLLIN, 0},
                             {ping.handle(), 0, ZMQ_POLLIN, 0},
                             {admin.handle(), 0, ZMQ_POLLIN, 0},
                             {stop.handle(), 0, ZMQ_POLLIN, 0}};
  while (items[3].revents == 0) {
    zmq::poll(items, 4, std::chrono::milliseconds(-1));
    take_pushed();
    while (const auto message = wire::receive_envelope(ping))
      if (const auto request = wire::decode_ping(message->payload))
        wire::send_envelope(ping, message->route, wire::encode(answers.ping(*request)));
    while (const auto message = wire::receive_envelope(admin))
      if (const auto request = wire::decode_admin_request(message->payload))
        wire::send_envelope(admin, message->route, wire::encode(answers.admin(*request)));
  }
}

FakeBroker::FakeBroker(const fs::path& data_dir, FakeAnswers answers)
    : state_(new State(std::move(answers))) {
  state_->bind(data_dir / "run");
  state_->thread = std::thread([this] { state_->serve(); });
}

FakeBroker::~FakeBroker() {
  state_->stopper.send(zmq::message_t(), zmq::send_flags::none);
  state_->thread.join();
}

std::optional<wire::Ping> FakeBroker::pushed() {
  std::unique_lock lock(state_->mutex);
  if (!state_->more.wait_for(lock, std::chrono::seconds(10), [&] { return !state_->pings.empty(); }))
    return std::nullopt;
  wire::Ping ping = std::move(state_->pings.front());
  state_->pings.pop_front();
  return ping;
}

}  // namespace cape::cli
