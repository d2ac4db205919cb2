#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/child/runner/runner.hpp"
#include "host/child/runner/sandbox.hpp"
#include "host/child/sandbox/trapped_calls.hpp"

namespace cape::child {
namespace {

constexpr std::uint32_t kind_violation = 2, kind_signal = 3;
constexpr int code_of_seccomp = 1;  // SYS_SECCOMP, which the C library does not define
constexpr std::size_t handler_stack_bytes = 64 << 10;
constexpr int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};

// A signal handler has no other way to find it. Written once, before any plugin code.
ResponseHeader* last_page = nullptr;

// Builds text without anything that is unsafe in a signal handler.
class SafeText {
 public:
  SafeText(char* at, std::size_t bytes) : at_(at), end_(at + bytes - 1) {}
  SafeText& operator<<(const char* text) {
    while (*text && at_ < end_) *at_++ = *text++;
    *at_ = '\0';
    return *this;
  }
  SafeText& hex(std::uint64_t value) {
    char digits[19] = "0x";
    int length = 1;
    while (length < 16 && value >> (4 * length)) ++length;
    for (int i = 0; i < length; ++i) digits[2 + i] = "0123456789abcdef"[value >> (4 * (length - 1 - i)) & 15];
    digits[2 + length] = '\0';
    return *this << digits;
  }
  SafeText& decimal(unsigned value) {
    char digits[11] = "";
    char* at = digits + sizeof digits - 1;
    do *--at = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    return *this << at;
  }

 private:
  char* at_;
  char* end_;
};

const char* name_of_call(int number) {
  for (const TrappedCall& call : trapped_calls)
    if (call.number == number) return call.name;
  for (const TrappedCall& call : trapped_in_part)
    if (call.number == number) return call.name;
  return nullptr;
}

constexpr int x32_bit = 0x4000'0000;
constexpr int no_number = -1;  // of a call whose number means another one in our own table

// Of which other table of calls the number is; null: of our own.
const char* other_table(const siginfo_t& info) {
  if ((info.si_arch & __AUDIT_ARCH_64BIT) == 0) return "the 32-bit table";
#if defined(__x86_64__)
  if (info.si_syscall >= x32_bit) return "x32";
#endif
  return nullptr;
}

void tell_arguments(SafeText& text, const ucontext_t& context) {
#if defined(__x86_64__)
  const greg_t* r = context.uc_mcontext.gregs;
  const std::uint64_t arguments[] = {
      static_cast<std::uint64_t>(r[REG_RDI]), static_cast<std::uint64_t>(r[REG_RSI]),
      static_cast<std::uint64_t>(r[REG_RDX]), static_cast<std::uint64_t>(r[REG_R10])};
#elif defined(__aarch64__)
  const auto* arguments_at = context.uc_mcontext.regs;
  const std::uint64_t arguments[] = {arguments_at[0], arguments_at[1], arguments_at[2], arguments_at[3]};
#endif
  const char* before = "(";
  for (const std::uint64_t argument : arguments) {
    (text << before).hex(argument);
    before = ", ";
  }
  text << ", ...)";
}

// The first to die has the word: another thread may fault at the same moment. A violation speaks over a fault,
// since the host believes its exit code only with its words.
std::atomic_flag fault_told = ATOMIC_FLAG_INIT, violation_told = ATOMIC_FLAG_INIT;

void tell_call(SafeText& text, const siginfo_t& info, const ucontext_t& context) {
  const char* table = other_table(info);
  const char* name = table ? nullptr : name_of_call(info.si_syscall);
  if (name)
    text << name;
  else
    (text << "system call ").decimal(static_cast<unsigned>(table ? info.si_syscall & ~x32_bit : info.si_syscall));
  if (table)
    text << " of " << table;  // its arguments lie in other registers
  else
    tell_arguments(text, context);
}

void on_violation(const siginfo_t& info, const ucontext_t& context) {
  last_page->last_signal = SIGSYS;
  last_page->last_syscall = other_table(info) ? no_number : info.si_syscall;
  last_page->last_address = reinterpret_cast<std::uint64_t>(info.si_call_addr);
  SafeText text(last_page->last_text, sizeof last_page->last_text);
  tell_call(text, info, context);
  last_page->last_kind.store(kind_violation, std::memory_order_release);
}

void on_fatal(int signal, const siginfo_t& info) {
  last_page->last_signal = signal;
  last_page->last_address = info.si_code > 0 ? reinterpret_cast<std::uint64_t>(info.si_addr) : 0;
  std::uint32_t none = 0;
  last_page->last_kind.compare_exchange_strong(none, kind_signal, std::memory_order_release);
}

// Another thread is at its words: to exit before it is done would leave the exit without them. Not for ever,
// as the plugin can write there too.
void wait_for_words() {
  for (int looks = 0; looks < 10'000; ++looks) {
    if (last_page->last_kind.load(std::memory_order_acquire) == kind_violation) return;
    sched_yield();
  }
}

[[noreturn]] void end_by_violation(const siginfo_t& info, const ucontext_t& context) {
  if (violation_told.test_and_set())
    wait_for_words();
  else
    on_violation(info, context);
  _exit(exit_code_violation);
}

void handle(int signal, siginfo_t* info, void* context) {
  if (signal == SIGSYS && info->si_code == code_of_seccomp)
    end_by_violation(*info, *static_cast<const ucontext_t*>(context));
  if (!fault_told.test_and_set()) on_fatal(signal, *info);
  // The disposition is the default again: a fault repeats when we return, a sent signal has to be sent again.
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), gettid(), signal);
}

Result<void> install(int signal, int flags) {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | flags;
  sigfillset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) != 0) return fail_errno(ErrorCode::io, "signal handler", errno);
  return {};
}

}  // namespace

// On a stack of its own, so that an overflow of the stack still has last words. SIGSYS keeps its handler for
// good: a filter refuses to change it.
Result<void> install_last_words(ResponseHeader* response) {
  last_page = response;
  void* stack = mmap(nullptr, handler_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) return fail_errno(ErrorCode::io, "stack of the signal handlers", errno);
  const stack_t wish = {.ss_sp = stack, .ss_flags = 0, .ss_size = handler_stack_bytes};
  if (sigaltstack(&wish, nullptr) != 0) return fail_errno(ErrorCode::io, "sigaltstack", errno);
  for (const int signal : fatal_signals)
    if (Result<void> done = install(signal, static_cast<int>(SA_RESETHAND)); !done) return done;
  return install(SIGSYS, 0);
}

[[noreturn]] void fail_setup(ResponseHeader* response, Phase phase, const std::string& why,
                             std::string_view check, std::int32_t status) {
  write_setup_words(*response, phase, why, check, status);
  _exit(exit_code_setup);
}

}  // namespace cape::child
