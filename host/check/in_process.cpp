#include "host/check/in_process.hpp"

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <thread>

#include "host/check/reading.hpp"
#include "host/child/over_process.hpp"
#include "host/child/runner/runner.hpp"
#include "host/child/sandbox/shared_memory.hpp"

// What the runner has of its own for these two: there the process ends, and a filter is put on.
namespace cape::child {
namespace {

struct SetupFailed {};

}  // namespace

[[noreturn]] void fail_setup(ResponseHeader* response, Phase phase, const std::string& why,
                             std::string_view check, std::int32_t status) {
  write_setup_words(*response, phase, why, check, status);
  throw SetupFailed{};
}

Result<std::string> tighten(const RunnerContext&) {
  return std::string();
}

static int serve_here(RunnerContext& context) {
  try {
    return serve(context);
  } catch (const SetupFailed&) {
    return exit_code_setup;
  }
}

}  // namespace cape::child

namespace cape::check {
namespace {

class ThreadProcess final : public child::ChildProcess {
 public:
  ThreadProcess(child::SharedMemory memory, child::Mapping response, UniqueFd ours, UniqueFd theirs)
      : memory_(std::move(memory)),
        response_(std::move(response)),
        ours_(std::move(ours)),
        theirs_(std::move(theirs)) {}
  ~ThreadProcess() override {
    kill();
    if (thread_.joinable()) thread_.join();
  }

  Result<void> start(const TrialSpec& spec) {
    const fs::path file = dir_.path() / "plugin.so";
    if (Result<void> copied = copy(*spec.image, file); !copied) return copied;
    if (spec.grant.state) {
      std::error_code error;
      fs::create_directories(spec.state_dir, error);
      if (error) return fail(ErrorCode::io, spec.state_dir.string() + ": " + error.message());
    }
    fill(spec, file);
    thread_ = std::thread([this] {
      const int code = child::serve_here(context_);
      wait_status_.store(code << 8);
      ::shutdown(theirs_.get(), SHUT_RDWR);  // tells poll()
    });
    return {};
  }

  int fd() const override { return ours_.get(); }
  int pid() const override { return ::getpid(); }
  int control_fd() const override { return ours_.get(); }
  child::RequestHeader& request() override { return memory_.request(); }
  std::uint8_t* request_ring() override { return memory_.request_ring(); }
  Result<void> back_request(std::uint64_t from, std::uint64_t bytes) override {
    return memory_.back_request(from, bytes);
  }
  const child::ResponseHeader& response() const override { return memory_.response(); }
  int response_memfd() const override { return memory_.response_fd(); }
  std::uint64_t ring_bytes() const override { return memory_.ring_bytes(); }

  Events poll() override {
    Events events;
    char rings[16];
    for (;;) {
      const ssize_t n = ::recv(ours_.get(), rings, sizeof rings, MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return events;
      events.doorbell = true;
      if (n > 0) continue;
      if (thread_.joinable()) thread_.join();
      end_.wait_status = wait_status_.load();
      ended_ = true;
      return events;
    }
  }
  const child::ProcessEnd* end() const override { return ended_ ? &end_ : nullptr; }
  void ring_doorbell() override { (void)::send(ours_.get(), "r", 1, MSG_DONTWAIT | MSG_NOSIGNAL); }
  void set_lease_end(std::int64_t) override {}
  void kill() override {
    request().stopping.value.store(1);
    ring_doorbell();
  }

 private:
  static Result<void> copy(const child::PluginImage& image, const fs::path& file) {
    const MappedImage mapped(image);
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(mapped.bytes().data()),
              static_cast<std::streamsize>(mapped.bytes().size()));
    out.close();
    if (!out) return fail(ErrorCode::io, "no copy of the plugin can be written to " + file.string());
    return {};
  }

  void fill(const TrialSpec& spec, const fs::path& file) {
    child::Setup& setup = context_.setup;
    setup.kind = static_cast<std::uint8_t>(spec.kind);
    setup.domain = spec.domain;
    setup.topology = spec.topology;
    setup.lambda = spec.lambda;
    setup.config_json = spec.config_json;
    setup.drill = spec.drill;
    if (spec.grant.state) setup.state_dir = spec.state_dir;
    setup.ring_bytes = memory_.ring_bytes();
    setup.payload_bytes_max = spec.payload_bytes_max;
    setup.output_bytes = spec.limits.output_bytes;
    setup.log_lines_per_s = spec.limits.log_lines_per_s;
    context_.sandbox.missing = "all: it runs in the process of the check";
    context_.request = &memory_.request();
    context_.response = static_cast<child::ResponseHeader*>(response_.at());
    context_.response->magic = child::layout_magic;
    context_.plugin_path = file;
    context_.control_fd = theirs_.get();
  }

  StateDir dir_;
  child::SharedMemory memory_;
  child::Mapping response_;  // as the thread writes it
  UniqueFd ours_, theirs_;
  child::RunnerContext context_;
  child::ProcessEnd end_;
  std::atomic<int> wait_status_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<child::ChildProcess>> start_thread(const TrialSpec& spec) {
  auto memory = child::SharedMemory::make(child::ring_bytes_for(spec.ring_bytes, spec.payload_bytes_max));
  if (!memory) return std::unexpected(memory.error());
  auto response = child::Mapping::of(memory->response_fd(), child::header_bytes + memory->ring_bytes(),
                                     PROT_READ | PROT_WRITE);
  if (!response) return std::unexpected(response.error());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(ErrorCode::unavailable, "socket pair of a plugin's thread", errno);
  auto process = std::make_unique<ThreadProcess>(std::move(*memory), std::move(*response), UniqueFd(pair[0]),
                                                 UniqueFd(pair[1]));
  if (Result<void> started = process->start(spec); !started) return std::unexpected(started.error());
  return process;
}

// Nobody has to be ready soon.
child::ChildSpec patient(const TrialSpec& spec) {
  child::ChildSpec patient = spec;
  patient.start_timeout_ms = in_process_ms_max;
  return patient;
}

}  // namespace

Result<std::unique_ptr<child::LambdaChild>> start_lambda_in_process(const TrialSpec& spec) {
  auto process = start_thread(spec);
  if (!process) return std::unexpected(process.error());
  return child::make_lambda_child(patient(spec), std::move(*process));
}

Result<std::unique_ptr<child::SourceChild>> start_source_in_process(const TrialSpec& spec) {
  auto process = start_thread(spec);
  if (!process) return std::unexpected(process.error());
  return child::make_source_child(patient(spec), std::move(*process));
}

}  // namespace cape::check
