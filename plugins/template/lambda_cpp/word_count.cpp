// A lambda in C++17: counts the words of each event's payload and keeps the total of every subject.
//
// What to change first: the name in CAPE_LAMBDA (the id that cape.toml uses), then operator().
#include <cape/lambda.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

class WordCount {
 public:
  // Runs once for each process of this lambda. A ConfigError switches the lambda off and tells the operator
  // why.
  WordCount(const cape::Config& config, const cape::Host& host)
      : word_bytes_min_(config.get<std::size_t>("word_bytes_min", 1)),
        dir_(host.state_dir()),
        words_(host.counter("words")) {
    if (dir_.empty()) throw cape::ConfigError("word_count keeps its totals: set grant = { state = true }");
  }

  // Runs for each event, in order for one subject. An event can run again, after a crash for instance: so the
  // total is stored with the sequence it reaches, and an event at or below that is done already.
  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    if (event.payload().empty()) return cape::Outcome::skipped("no text");
    Total total = load(event.subject());
    if (event.sequence() <= total.sequence) return cape::Outcome::ok();
    const long words = count(event.payload());
    store(event.subject(), {event.sequence(), total.words + words});
    words_.add(static_cast<double>(words));
    call.log(CAPE_LOG_INFO,
             std::string(event.subject()) + ": " + std::to_string(total.words + words) + " words");
    return cape::Outcome::ok();
  }

 private:
  struct Total {
    std::int64_t sequence = 0;
    long words = 0;
  };

  // A subject may hold any character but NUL, '/' among them: never use it as a file name as it is.
  std::string file_of(std::string_view subject) const {
    static const char digits[] = "0123456789abcdef";
    std::string name = dir_ + "/";
    for (const char c : subject.substr(0, 100)) {  // two digits a byte; a file name has at most 255
      name += digits[static_cast<unsigned char>(c) >> 4];
      name += digits[static_cast<unsigned char>(c) & 15];
    }
    if (subject.size() > 100)
      throw cape::Failure(cape::Outcome::bad_input("subjects have at most 100 bytes here"));
    return name;
  }

  Total load(std::string_view subject) const {
    Total total;
    std::ifstream file(file_of(subject));
    file >> total.sequence >> total.words;
    return total;
  }

  // Written beside and moved over the old one, so that a crash leaves one of the two and never a half.
  void store(std::string_view subject, const Total& total) const {
    const std::string name = file_of(subject);
    std::ofstream file(name + ".new", std::ios::trunc);
    file << total.sequence << ' ' << total.words << '\n';
    file.close();
    if (!file || std::rename((name + ".new").c_str(), name.c_str()) != 0)
      throw cape::Failure(cape::Outcome::retry("cannot write " + name));  // runs again after a while
  }

  long count(std::string_view text) const {
    long words = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = text.find_first_not_of(" \t\n", at);
      if (begin == std::string_view::npos) break;
      at = std::min(text.find_first_of(" \t\n", begin), text.size());
      if (at - begin >= word_bytes_min_) ++words;
    }
    return words;
  }

  std::size_t word_bytes_min_;
  std::string dir_;
  cape::Metric words_;
};

// Type, id, version, and the wish: `cape plugin list` shows it, only cape.toml grants it.
CAPE_LAMBDA(WordCount, "word_count", "1.0.0", CAPE_WANTS_STATE)
