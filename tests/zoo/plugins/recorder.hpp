// tests/zoo/plugins/recorder.hpp
// What the zoo's lambdas share: a record of every event they were given, and which subject they misbehave on.
//
//   config = { subject = "a" }   misbehave on this subject alone; without it on every one
//
// A plugin may ask for a fifth column: CLOCK_MONOTONIC in nanoseconds, which all children of one machine
// share; or one that says whether the event is replayed, "replay" or "live".
//
// With a state grant each event is recorded before anything else happens, as "subject sequence attempt
// fence\n", in STATE_DIR/record.log, with one write: what a killed process had begun is in the file. Without
// a grant nothing is recorded.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cape/lambda.hpp>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>

namespace zoo {

class Recorder {
 public:
  explicit Recorder(const cape::Host& host, bool with_time = false, bool with_mark = false)
      : with_time_(with_time), with_mark_(with_mark) {
    if (host.state_dir().empty()) return;
    const std::string path = std::string(host.state_dir()) + "/record.log";
    fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw cape::ConfigError(path + " cannot be opened: errno " + std::to_string(errno));
  }
  ~Recorder() {
    if (fd_ >= 0) ::close(fd_);
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  bool is_open() const { return fd_ >= 0; }

  void record(const cape::Event& event) const {
    if (fd_ < 0) return;
    const std::string line = std::string(event.subject()) + " " + std::to_string(event.sequence()) + " " +
                             std::to_string(event.attempt()) + " " + std::to_string(event.fence()) +
                             (with_time_ ? " " + now_ns() : "") +
                             (with_mark_ ? event.is_replay() ? " replay" : " live" : "") + "\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      throw cape::Failure(
          cape::Outcome::retry("record.log cannot be written: errno " + std::to_string(errno)));
    }
  }

 private:
  static std::string now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::to_string(std::chrono::nanoseconds(now).count());
  }

  int fd_ = -1;
  bool with_time_, with_mark_;
};

// A lambda that records and then misbehaves on its subject: the animal says how.
class Animal {
 public:
  Animal(const cape::Config& config, const cape::Host& host)
      : recorder_(host), subject_(config.find<std::string>("subject")) {}
  virtual ~Animal() = default;

  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    recorder_.record(event);
    if (subject_ && *subject_ != event.subject()) return cape::Outcome::ok();
    return misbehave(event, call);
  }

 protected:
  virtual cape::Outcome misbehave(const cape::Event& event, cape::Call& call) = 0;

 private:
  Recorder recorder_;
  std::optional<std::string> subject_;
};

}  // namespace zoo
