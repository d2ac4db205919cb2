// Gives for each event its own name, the event and all that came in, so that whoever reads what the last one
// of several such lambdas gave knows what each of them was given. Behaves.
//
//   config = { name = "join", from = "left right" }   the lambdas it needs, parted by blanks
//   config = { name = "up", skip = 5 }                events whose sequence 5 divides are SKIPPED
//   config = { sleep_us = 100 }                       each event takes that long
//
// With a state grant each event is recorded, as "subject sequence text\n", in STATE_DIR/weave.log.
#include <fcntl.h>
#include <unistd.h>

#include <cape/lambda.hpp>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

class Guest {
 public:
  Guest(const cape::Config& config, const cape::Host& host)
      : name_(config.get<std::string>("name", "")),
        skip_(config.get<std::int64_t>("skip", 0)),
        sleep_(config.get<std::int64_t>("sleep_us", 0)) {
    std::istringstream from(config.get<std::string>("from", ""));
    for (std::string one; from >> one;) from_.push_back(one);
    const std::string path = std::string(host.state_dir()) + "/weave.log";
    fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw cape::ConfigError("weave needs grant = { state = true }");
  }
  ~Guest() { ::close(fd_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    const std::string place = std::string(event.subject()) + " " + std::to_string(event.sequence());
    std::string text = name_ + ":" + std::to_string(event.sequence()) + "<";
    for (const std::string& one : from_) {
      const auto input = event.input(one);
      if (!input) return cape::Outcome::failed("no input of " + one);
      text += (&one == &from_.front() ? "" : "|") + std::string(*input);
    }
    text += ">";
    if (sleep_.count() > 0) std::this_thread::sleep_for(sleep_);
    const std::string line = place + " " + text + "\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      return cape::Outcome::retry("weave.log cannot be written");
    if (skip_ > 0 && event.sequence() % skip_ == 0) return cape::Outcome::skipped();
    call.emit(text);
    return cape::Outcome::ok();
  }

 private:
  std::string name_;
  std::int64_t skip_;
  std::chrono::microseconds sleep_;
  std::vector<std::string> from_;
  int fd_ = -1;
};

}  // namespace

CAPE_LAMBDA(Guest, "weave", "1.0.0", CAPE_WANTS_STATE)
