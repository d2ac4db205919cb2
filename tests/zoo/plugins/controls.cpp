// What an honest plugin does with the C++ library. Each must work under the full sandbox; the payload names
// it.
#include <cape/lambda.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iomanip>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

bool threads() {
  std::mutex mutex;
  std::condition_variable all_there;
  int there = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 8; ++i)
    workers.emplace_back([&] {
      const std::lock_guard lock(mutex);
      if (++there == 8) all_there.notify_all();
    });
  {
    std::unique_lock lock(mutex);
    all_there.wait(lock, [&] { return there == 8; });
  }
  for (std::thread& worker : workers) worker.join();
  return std::async(std::launch::async, [] { return 7; }).get() == 7;
}

bool exceptions() {
  try {
    std::vector<int>().at(3);
  } catch (const std::out_of_range& e) {
    return std::string(e.what()).size() > 3;
  }
  return false;
}

bool regex() {
  std::smatch found;
  const std::string line = "order/17 paid 500 EUR";
  return std::regex_search(line, found, std::regex(R"((\d+) ([A-Z]{3})$)")) && found[1] == "500";
}

bool formatting() {
  std::ostringstream out;
  out.imbue(std::locale("C"));
  out << std::setprecision(3) << 3.14159 << ' ' << std::hex << 255;
  return out.str() == "3.14 ff" && std::stod("2.5") == 2.5;
}

bool memory() {  // over malloc's threshold for mmap, and grown
  std::vector<char> block(32u << 20, 'x');
  block.resize(64u << 20, 'y');
  auto* grown = static_cast<char*>(std::realloc(std::malloc(1u << 20), 48u << 20));
  const bool there = grown != nullptr;
  std::free(grown);
  return there && block.front() == 'x' && block.back() == 'y';
}

bool randomness() {
  std::random_device device;
  std::mt19937_64 engine(device());
  return engine() != engine();
}

bool clocks() {
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(2) &&
         std::chrono::system_clock::now().time_since_epoch() > std::chrono::hours(24 * 365 * 50);
}

bool sorting() {
  std::vector<std::uint32_t> numbers(1'000'000);
  std::mt19937 engine(1);
  std::generate(numbers.begin(), numbers.end(), std::ref(engine));
  std::sort(numbers.begin(), numbers.end());
  return std::is_sorted(numbers.begin(), numbers.end());
}

thread_local std::string mine = "a";

bool thread_local_state() {
  std::string theirs;
  std::thread([&] { theirs = mine += "b"; }).join();
  return mine == "a" && theirs == "ab";
}

class Controls {
 public:
  cape::Outcome operator()(const cape::Event& event) {
    static const std::map<std::string, bool (*)(), std::less<>> controls = {
        {"threads", threads},       {"exceptions", exceptions}, {"regex", regex},
        {"formatting", formatting}, {"memory", memory},         {"randomness", randomness},
        {"clocks", clocks},         {"sorting", sorting},       {"thread_local", thread_local_state}};
    const auto control = controls.find(event.payload());
    if (control == controls.end()) return cape::Outcome::bad_input("no such control");
    return control->second() ? cape::Outcome::ok() : cape::Outcome::failed("it did not work");
  }
};

}  // namespace

CAPE_LAMBDA(Controls, "controls", "1.0.0")
