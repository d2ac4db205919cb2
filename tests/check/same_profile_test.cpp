// A plugin that behaves under `cape plugin check` to misbehave later gains nothing: there is no other sandbox
// for it later. Checked is what the kernel says of both processes, not what Cape does.
#include <gmock/gmock.h>
#include <poll.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "host/check/specs.hpp"
#include "host/child/sandbox/shared_memory.hpp"
#include "host/worker/plan.hpp"

namespace cape::check {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

child::PluginImagePtr image_of(const std::string& file) {
  Result<UniqueFd> memfd = child::sealed_memfd("plugin", text_of(file));
  EXPECT_TRUE(memfd);
  auto image = std::make_shared<child::PluginImage>();
  image->memfd = std::move(*memfd);
  image->file = file;
  image->hash = std::string(64, 'a');
  image->id = "check_guest";
  image->bytes = text_of(file).size();
  return image;
}

struct Confined {
  child::SandboxReport sandbox;
  std::string limits, status;  // of its process, by the kernel
};

// Lines of /proc/PID/status that say what it may do.
std::string rights_in(const std::string& status) {
  std::istringstream lines(status);
  std::string rights;
  for (std::string line; std::getline(lines, line);)
    for (const char* key : {"Cap", "NoNewPrivs", "Seccomp", "Groups", "Umask"})
      if (line.starts_with(key)) rights += line + "\n";
  return rights;
}

Confined start(const child::ChildSpec& spec) {
  auto started = child::start_lambda_child(spec);
  EXPECT_TRUE(started) << started.error().message;
  std::vector<child::LambdaReport> reports;
  const std::int64_t deadline_ns = boot_ns() + 20 * ns_per_s;
  Confined seen;
  while (seen.sandbox.layers.empty() && boot_ns() < deadline_ns) {
    pollfd readable{.fd = (*started)->fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, 100);
    (*started)->poll(reports);
    for (const child::LambdaReport& report : reports) {
      if (const auto* ready = std::get_if<child::ChildReady>(&report)) seen.sandbox = ready->sandbox;
      if (const auto* ended = std::get_if<child::ChildEnded>(&report)) {
        ADD_FAILURE() << ended->end.reason;
        return seen;
      }
    }
  }
  const std::string reaper = std::to_string((*started)->pid());
  int plugin = 0;
  std::ifstream("/proc/" + reaper + "/task/" + reaper + "/children") >> plugin;
  const fs::path proc = "/proc/" + std::to_string(plugin);
  seen.limits = text_of(proc / "limits");
  seen.status = rights_in(text_of(proc / "status"));
  return seen;
}

TEST(SameProfile, CheckAndProductionConfineAPluginAlike) {
  const auto image = image_of(std::string(CAPE_CHECK_PLUGINS) + "/good_lambda.so");
  const auto config = parse_config(
      "sandbox = { require = \"D\" }\n[domain.d]\nsource = \"journal\"\n[topology.t]\ndomain = \"d\"\n"
      "[topology.t.lambda.l]\nplugin = \"check_guest\"\n",
      "/etc/cape/cape.toml");
  ASSERT_TRUE(config);
  Bench bench;
  bench.image = image;

  const Confined checked = start(lambda_of(bench, {}));
  const Confined production = start(host::spec_of(*config, host::lambdas_of(*config)[0], image));

  EXPECT_EQ(checked.sandbox.level, production.sandbox.level);
  EXPECT_EQ(checked.sandbox.layers, production.sandbox.layers);
  EXPECT_EQ(checked.sandbox.missing, production.sandbox.missing);
  EXPECT_FALSE(checked.limits.empty());
  EXPECT_EQ(checked.limits, production.limits);
  EXPECT_THAT(checked.status, testing::HasSubstr("Seccomp"));
  EXPECT_EQ(checked.status, production.status);
}

}  // namespace
}  // namespace cape::check
