#include "tests/child/driver.hpp"

#include <poll.h>

#include <fstream>
#include <iterator>

#include "host/child/sandbox/shared_memory.hpp"

namespace cape::child {

ChildSpec spec_of(const std::string& plugin, ChildKind kind) {
  const fs::path file = fs::path(CAPE_TEST_PLUGINS) / (plugin + ".so");
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  Result<UniqueFd> memfd = sealed_memfd("plugin", bytes);
  EXPECT_FALSE(bytes.empty()) << file;
  auto image = std::make_shared<PluginImage>();
  image->memfd = std::move(*memfd);
  image->file = file;
  image->hash = std::string(64, 'a');
  image->bytes = bytes.size();
  if (kind != ChildKind::inspect) image->id = plugin;
  ChildSpec spec;
  spec.kind = kind;
  spec.image = std::move(image);
  spec.domain = "history";
  if (kind == ChildKind::lambda) spec.topology = "audit", spec.lambda = "write";
  spec.config_dir = "/";
  spec.require_level = 'D';
  spec.start_timeout_ms = 10'000;
  return spec;
}

wire::RunJob job_of(JobId id, const std::string& subject, const std::vector<std::string>& payloads) {
  auto block = std::make_shared<EventBlock>();
  for (std::size_t i = 0; i < payloads.size(); ++i)
    block->add(static_cast<Sequence>(i + 1), static_cast<std::int64_t>(1000 + i), "type", payloads[i]);
  block->proven_from = 1;
  block->proven_to = static_cast<Sequence>(payloads.size());
  wire::RunJob job;
  job.job = id;
  job.subject = subject;
  job.events = {.block = block, .first = 0, .count = static_cast<std::uint32_t>(payloads.size())};
  return job;
}

bool wait_readable(int fd, std::int64_t deadline_ns) {
  const std::int64_t left_ms = (deadline_ns - boot_ns()) / ns_per_ms;
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  // Short waits: a result before a slow event may come without a doorbell.
  if (left_ms <= 0) return false;
  ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 100)));
  return true;
}

}  // namespace cape::child
