#include "host/child/runner/drill.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "core/clock.hpp"
#include "host/child/runner/guard.hpp"
#include "host/child/runner/threads.hpp"

namespace cape::child {
namespace {

constexpr int rounds_max = 1'000, warm_up_rounds = 20;
constexpr std::int64_t rounds_ns_max = 3 * ns_per_s;
constexpr std::size_t leak_bytes_per_round = 16;  // less is noise of the allocator
constexpr rlim_t descriptors_max = 4096;           // that are looked at
constexpr std::int64_t threads_ns_max = 200 * ns_per_ms;
constexpr std::int64_t listen_ns = 200 * ns_per_ms;
constexpr std::size_t pages_bytes_max = 64u << 20;
constexpr std::size_t page_bytes = 4096;

std::size_t allocated_bytes() {
  const struct mallinfo2 now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

// There is no directory of them to count in, and the lowest free one tells nothing once none is free.
int open_descriptors() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  int open = 0;
  for (int fd = 0; fd < static_cast<int>(std::min(limit.rlim_cur, descriptors_max)); ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) ++open;
  return open;
}

}  // namespace

ListeningHost::ListeningHost(const cape_host& real) : real_(&real), table_(real) {
  table_.host_data = this;
  table_.log = [](const cape_host* host, std::int32_t severity, cape_bytes message) {
    const cape_host* at = heard(host);
    at->log(at, severity, message);
  };
  table_.metric = [](const cape_host* host, cape_bytes name, std::int32_t kind) {
    const cape_host* at = heard(host);
    return at->metric(at, name, kind);
  };
  table_.metric_add = [](const cape_host* host, std::uint32_t id, double value) {
    const cape_host* at = heard(host);
    at->metric_add(at, id, value);
  };
  table_.config_get = [](const cape_host* host, cape_bytes key, cape_bytes* out) {
    const cape_host* at = heard(host);
    return at->config_get(at, key, out);
  };
  table_.ping = [](const cape_host* host, cape_bytes subject, std::int64_t hint) {
    const cape_host* at = heard(host);
    return at->ping(at, subject, hint);
  };
  table_.get_extension = [](const cape_host* host, const char* id) {
    const cape_host* at = heard(host);
    return at->get_extension(at, id);
  };
}

const cape_host* ListeningHost::heard(const cape_host* host) {
  auto& me = *static_cast<ListeningHost*>(host->host_data);
  ++me.calls_;
  return me.real_;
}

Drill::Drill(const RunnerContext& context, const cape_lambda& lambda, const cape_host& host)
    : context_(context), lambda_(lambda), host_(host) {}

std::string Drill::run(std::string_view id, void*& self) {
  if (id == "C2") return repeat();
  if (id == "C12") return crowd();
  if (id == "C13") return ask_for_extensions(self);
  if (id == "C14") return listen(self);
  return {};
}

void Drill::end() {
  if (has_other_) guard([&] { return lambda_.destroy(other_), CAPE_OK; });
  has_other_ = false;
}

std::string Drill::create(void*& self) const {
  const std::string& json = context_.setup.config_json;
  const cape_bytes config{reinterpret_cast<const std::uint8_t*>(json.data()), json.size()};
  const Verdict made = guard([&] { return lambda_.create(&host_, config, &self); });
  if (made.status == CAPE_OK) return {};
  return "a further create with the same settings returned " + std::to_string(made.status) + " " + made.text;
}

std::string Drill::round() const {
  void* self = nullptr;
  if (std::string bad = create(self); !bad.empty()) return bad;
  guard([&] { return lambda_.destroy(self), CAPE_OK; });
  return {};
}

// The first rounds, after which what is taken once is taken. Threads are looked at here, for not many are
// allowed; a runtime may bring some of its own, so only one more a round counts as left behind.
std::string Drill::warm_up(std::int64_t until_ns) const {
  const int before = count_threads();
  for (int rounds = 0; rounds < warm_up_rounds; ++rounds) {
    if (boot_ns() >= until_ns) return {};
    if (std::string bad = round(); !bad.empty()) return bad;
  }
  const int now = count_threads(before + warm_up_rounds - 1, threads_ns_max);
  if (before < 0 || now < before + warm_up_rounds) return {};
  return "after " + std::to_string(warm_up_rounds) + " times create and destroy " + std::to_string(now - before) +
         " threads more run; join them in destroy";
}

std::string Drill::repeat() const {
  const std::int64_t until_ns = boot_ns() + rounds_ns_max;
  if (std::string bad = warm_up(until_ns); !bad.empty()) return bad;
  const std::size_t bytes = allocated_bytes();
  const int open = open_descriptors();
  int rounds = 0;
  for (; rounds < rounds_max && boot_ns() < until_ns; ++rounds)
    if (std::string bad = round(); !bad.empty()) return bad;
  if (rounds == 0) return {};  // slow as it is: L3 and the run say so
  const std::string after = "after " + std::to_string(rounds) + " times create and destroy ";
  if (const int now = open_descriptors(); now > open)
    return after + std::to_string(now - open) + " descriptors more are open; close them in destroy";
  const std::size_t now = allocated_bytes();
  if (now > bytes && now - bytes > leak_bytes_per_round * static_cast<std::size_t>(rounds))
    return after + std::to_string(now - bytes) +
           " bytes more are allocated; free in destroy what create took";
  return {};
}

std::string Drill::crowd() {
  void* third = nullptr;
  if (std::string bad = create(other_); !bad.empty()) return bad;
  has_other_ = true;
  if (std::string bad = create(third); !bad.empty()) return bad;
  guard([&] { return lambda_.destroy(third), CAPE_OK; });
  return {};
}

std::string Drill::ask_for_extensions(void* self) const {
  if (!CAPE_HAS(&lambda_, get_extension)) return {};
  for (const char* id : {"", "cape.", "cape.no-such-extension/1", "cape.lambda/1"}) {
    const void* found = nullptr;
    guard([&] { return found = lambda_.get_extension(self, id), CAPE_OK; });
    if (found != nullptr)
      return "get_extension(\"" + std::string(id) + "\") is not NULL; compare the whole id";
  }
  return {};
}

std::string Drill::listen(void*& self) const {
  const ListeningHost host(host_);
  guard([&] { return lambda_.destroy(self), CAPE_OK; });
  const Drill heard(context_, lambda_, *host.table());
  if (std::string bad = heard.create(self); !bad.empty()) return bad;
  guard([&] { return lambda_.destroy(self), CAPE_OK; });
  const std::uint64_t before = host.calls();
  timespec pause{.tv_sec = 0, .tv_nsec = listen_ns};
  while (::nanosleep(&pause, &pause) != 0) {
  }
  if (host.calls() != before)
    return "it called the host after destroy had returned; join its threads in destroy";
  return create(self);
}

cape_bytes FencedBytes::fence(cape_bytes bytes) {
  const std::size_t body = (bytes.len + page_bytes - 1) / page_bytes * page_bytes;
  if (bytes_ + body > pages_bytes_max) return bytes;
  void* at = ::mmap(nullptr, body + page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return bytes;
  pages_.push_back({at, body + page_bytes});
  bytes_ += body;
  auto* end = static_cast<std::uint8_t*>(at) + body;
  if (body > 0) {
    if (::mprotect(at, body, PROT_READ | PROT_WRITE) != 0) return bytes;
    std::memcpy(end - bytes.len, bytes.ptr, bytes.len);
    ::mprotect(at, body, PROT_READ);
  }
  return {end - bytes.len, bytes.len};
}

void FencedBytes::clear() {
  for (const Pages& pages : pages_) ::munmap(pages.at, pages.bytes);
  pages_.clear();
  bytes_ = 0;
}

}  // namespace cape::child
