// Leaves a thread behind that never rests, for each event.
#include <atomic>
#include <cape/lambda.hpp>
#include <list>
#include <thread>

namespace {

class Guest {
 public:
  ~Guest() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  cape::Outcome operator()(const cape::Event&) {
    threads_.emplace_back([this] {
      while (!done_) {
      }
    });
    return cape::Outcome::ok();
  }

 private:
  std::atomic<bool> done_ = false;
  std::list<std::thread> threads_;
};

}  // namespace

CAPE_LAMBDA(Guest, "burns", "1.0.0")
