// cape-sim: runs seeds of the simulation. See usage below.
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "broker/scheduler/trace.hpp"
#include "tests/sim/simulation.hpp"

namespace cape::scheduler {
namespace {

constexpr std::string_view usage = R"(cape-sim --seed N [--trace]          one seed; --trace prints every step
cape-sim --seeds A..B [--keep-going]  these seeds, up to the first that fails, or all of them

Exit codes. Of several failures the first counts:
   0  every promise held
   2  usage
  10  order   an event of a strict topology began before an earlier one had succeeded
  11  after   an event began before a topology that comes first was through with it
  12  fence   something ran in a job after a later job had taken its place
  13  cursor  a stored cursor fell, or stands past an event that has not succeeded
  14  acts    what an operator asked was not done, was told wrongly, or was not kept
  15  bounds  a limit was passed, or something stayed in memory for good
  16  stuck   not everything was processed, or saved, in the end
  17  told    what is told of a subject is wrong: parked without a cause, no hint that an event runs again
  18  spin    steps without end while time hardly passes
  19  isolation  a job waited behind a slow event of another subject for nothing
  20  data       an event began without what the lambdas it needs gave for it
  21  drain      a host that was drained ran something twice, or never said goodbye
  22  ping       a ping was acknowledged and forgotten
  30  check   a CAPE_CHECK of the code under test failed, or it crashed
)";

struct Args {
  std::uint64_t first = 0, last = 0;
  bool trace = false, keep_going = false;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

bool parse_seeds(std::string_view text, bool is_range, Args& args) {
  const std::size_t dots = text.find("..");
  if (is_range != (dots != std::string_view::npos)) return false;
  const auto first = number_of(text.substr(0, dots));
  const auto last = is_range ? number_of(text.substr(dots + 2)) : first;
  if (!first || !last || *first > *last) return false;
  args.first = *first;
  args.last = *last;
  return true;
}

std::optional<Args> parse(int argc, char** argv) {
  Args args;
  bool has_seeds = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--trace") {
      args.trace = true;
    } else if (word == "--keep-going") {
      args.keep_going = true;
    } else if ((word == "--seed" || word == "--seeds") && i + 1 < argc && !has_seeds) {
      if (!parse_seeds(argv[++i], word == "--seeds", args)) return {};
      has_seeds = true;
    } else {
      return {};
    }
  }
  if (!has_seeds || (args.trace && args.first != args.last)) return {};
  return args;
}

// The line that repeats the running seed, ready for a signal handler.
char repeat_line[80];
std::size_t repeat_bytes = 0;

void name_seed(std::uint64_t seed) {
  const std::string line = fmt::format("repeat with: ./run sim --seed {} --trace\n", seed);
  repeat_bytes = std::min(line.size(), sizeof repeat_line);
  std::memcpy(repeat_line, line.data(), repeat_bytes);
}

extern "C" void on_crash(int) {
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, repeat_line, repeat_bytes);
  ::_exit(exit_check_failed);
}

void print_step(const Simulation::Step& step) {
  fmt::print("@{} epoch {}\n", step.now.boot_ns, step.epoch);
  for (const Input& input : step.inputs) fmt::print("  > {}\n", to_text(input));
  for (const Action& action : step.actions) fmt::print("  < {}\n", to_text(action));
}

// The exit code: 0, or the class of its first failure.
int run_seed(std::uint64_t seed, bool trace, Met& met) {
  name_seed(seed);
  Simulation simulation(options_for(seed));
  if (trace) simulation.watch(print_step, [](const std::string& what) { fmt::print("{}\n", what); });
  simulation.run();
  met.add(simulation.met());
  if (simulation.violations().empty()) return 0;
  fmt::print("{}\n", to_text(simulation.options()));
  for (const Violation& violation : simulation.violations())
    fmt::print("broken: {}: {}\n", name_of(violation.promise), violation.what);
  fmt::print("{}", std::string_view(repeat_line, repeat_bytes));
  std::fflush(stdout);
  return exit_code_of(simulation.violations().front().promise);
}

int run(const Args& args) {
  Met met;
  int code = 0;
  std::uint64_t seeds = 0, failed = 0;
  for (std::uint64_t seed = args.first; seed <= args.last; ++seed) {
    const int of_seed = run_seed(seed, args.trace, met);
    ++seeds;
    if (of_seed == 0) continue;
    ++failed;
    if (code == 0) code = of_seed;
    if (!args.keep_going) break;
  }
  fmt::print("{} seeds, {} failed: {}\n", seeds, failed, to_text(met));
  return code;
}

}  // namespace
}  // namespace cape::scheduler

int main(int argc, char** argv) {
  const auto args = cape::scheduler::parse(argc, argv);
  if (!args) {
    fmt::print(stderr, "{}", cape::scheduler::usage);
    return cape::scheduler::exit_usage;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL})
    std::signal(signal, cape::scheduler::on_crash);
  return cape::scheduler::run(*args);
}
