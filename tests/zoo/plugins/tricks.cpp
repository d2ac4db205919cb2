// Turns on what it runs in: the runner's descriptors, maps, stacks, signals and words. The payload names the
// trick; "fine" is handled well, and "emit" has an output.
#include "guest.h"
#include "responses.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <thread>

using namespace cape::child;

static const cape_host* host;
static cape_call* volatile running;
static std::atomic<int> handled;

// From 0 on, the doorbell among them. FAILED with the number of those it could not close that are open all
// the same.
static cape_status close_everything(cape_call* call) {
  int kept = 0;
  for (int fd = 0; fd < 1024; ++fd)
    if (::close(fd) != 0 && errno != EBADF) ++kept;
  call->set_error(call, 0, kept, text("descriptors that a filter keeps"));
  return CAPE_FAILED;
}

// The answers' memory, header and ring.
static bool answers_lie_elsewhere(bool nowhere) {
  std::size_t bytes = header_bytes;
  while (zoo::readable(zoo::responses + bytes) && bytes < (std::size_t{64} << 10)) bytes += zoo::page_bytes;
  if (nowhere) return ::munmap(zoo::responses, bytes) == 0;
  return ::mmap(zoo::responses, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

static int (*volatile deeper)(int);
static int dig(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return deeper(depth + 1) + room[0];
}

// Without the stack on which the runner says its last words, and with a larger one of its own, if it gets
// that.
static cape_status overflow_alone(cape_call* call) {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  rlimit large{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_STACK, &large) == 0) return CAPE_OK;
  if (::sigaltstack(&none, nullptr) != 0) return refused(call);
  deeper = dig;
  return dig(0) == 0 ? CAPE_OK : CAPE_FAILED;
}

// Every service that a lambda has, where no promise covers it.
static void serve_in_handler(int) {
  cape_call* const call = running;
  host->log(host, CAPE_LOG_WARNING, text("from a handler"));
  call->heartbeat(call);
  call->emit(call, 0, text("from a handler"));
  call->set_error(call, 0, 1, text("from a handler"));
  ++handled;
}
static cape_status call_from_handler(cape_call* call) {
  running = call;
  struct sigaction action {};
  action.sa_handler = serve_in_handler;
  if (::sigaction(SIGUSR1, &action, nullptr) != 0) return refused(call);
  ::raise(SIGUSR1);
  return handled == 1 ? CAPE_OK : CAPE_INTERNAL;
}

// A thread that signals the one which runs events, so that handlers find it in the midst of the services.
static void interrupt(pthread_t thread) {
  for (;;) ::pthread_kill(thread, SIGUSR1);
}
static cape_status interrupt_services(cape_call* call) {
  running = call;
  struct sigaction action {};
  action.sa_handler = [](int) { host->log(host, CAPE_LOG_WARNING, text("from a handler")); };
  if (::sigaction(SIGUSR1, &action, nullptr) != 0) return refused(call);
  std::thread(interrupt, ::pthread_self()).detach();
  for (;;) host->log(host, CAPE_LOG_WARNING, text("from the event"));
}

// Goes on after its event has ended: says that the child is awake, so that no doorbell is rung for what
// comes, and that it lives.
static void deafen() {
  auto& words = *reinterpret_cast<ResponseHeader*>(zoo::responses);
  for (std::uint64_t beat = 0;; ++beat) {
    words.child_sleeps.value.store(0);
    words.heartbeat.value.store(beat);
  }
}

// Says that its event is done, and dies of it.
[[noreturn]] static void die_as_done() {
  auto& words = *reinterpret_cast<ResponseHeader*>(zoo::responses);
  words.finished.value.store(words.progress.value.load());
  __builtin_trap();
}

// The room that is reserved, and more.
static cape_status write_past(cape_call* call, std::uint64_t bytes, std::uint64_t more) {
  std::uint8_t* room = nullptr;
  if (const cape_status no = call->reserve(call, 0, bytes, &room); no != CAPE_OK) return no;
  volatile std::uint8_t* at = room;
  for (std::uint64_t i = 0; i < bytes + more; ++i) at[i] = 'x';
  return call->commit(call, bytes);
}

// The kernel takes what is mapped over a reservation for memory that was counted already.
static cape_status hoard(cape_call* call) {
  constexpr std::size_t all = 4ul << 30, used = 1ul << 30;
  void* const at = ::mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return refused(call);
  void* const over =
      ::mmap(at, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (over == MAP_FAILED) return refused(call);
  for (std::size_t i = 0; i < used; i += 4096) static_cast<volatile char*>(over)[i] = 1;
  for (;;) ::pause();
}
// Stacks that grow are not counted at all.
static cape_status grow_down(cape_call* call) {
  void* const at =
      ::mmap(nullptr, 16u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
  return at == MAP_FAILED ? refused(call) : CAPE_OK;
}

[[noreturn]] static void spin_at_exit() {
  for (;;) ::pause();
}
struct Destroyed {
  ~Destroyed() { spin_at_exit(); }
};

static cape_status act(cape_call* call, const cape_event* event) {
  if (is(event, "close_everything")) return close_everything(call);
  if (is(event, "overflow")) return overflow_alone(call);
  if (is(event, "handler")) return call_from_handler(call);
  if (is(event, "interrupt")) return interrupt_services(call);
  if (is(event, "foreign")) throw 17;
  if (is(event, "past_by_one")) return write_past(call, 100, 1);
  if (is(event, "past_by_page")) return write_past(call, 100, 4096);
  if (is(event, "past_nothing")) return write_past(call, 0, 1);
  if (is(event, "past_whole_page")) return write_past(call, 8192, 1);
  if (is(event, "hoard")) return hoard(call);
  if (is(event, "grow_down")) return grow_down(call);
  if (is(event, "just_fits")) return write_past(call, 100, 0);
  if (is(event, "emit")) return call->emit(call, 0, text("neighbour"));
  if (is(event, "at_exit")) {
    static Destroyed last;
    return std::atexit(spin_at_exit) == 0 ? CAPE_OK : CAPE_INTERNAL;
  }
  const bool of_words =
      is(event, "deafen") || is(event, "unmap") || is(event, "remap") || is(event, "die_as_done");
  if (!of_words) return CAPE_OK;
  if (!zoo::find_responses(event)) return CAPE_INTERNAL;
  if (is(event, "deafen")) std::thread(deafen).detach();
  if (is(event, "die_as_done")) die_as_done();
  if (is(event, "unmap")) return answers_lie_elsewhere(true) ? CAPE_OK : refused(call);
  if (is(event, "remap")) return answers_lie_elsewhere(false) ? CAPE_OK : refused(call);
  return CAPE_OK;
}

static cape_status keep_host(const cape_host* given, cape_bytes, void** self) {
  host = given;
  *self = &host;
  return CAPE_OK;
}

CAPE_MANIFEST("tricks", "1.0.0", CAPE_KIND_LAMBDA, 0);
static cape_status process(void*, cape_call* call, const cape_event* event) {
  return act(call, event);
}
static const cape_lambda lambda = {sizeof(cape_lambda), 0,      keep_host, process, nullptr, nullptr,
                                   guest_destroy,       nullptr};
static const void* get_factory(const char* id) {
  return std::strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : nullptr;
}
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, nullptr, nullptr,
                                  get_factory};
