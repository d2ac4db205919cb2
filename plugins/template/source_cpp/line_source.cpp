// An event source in C++17: every file NAME.txt of a directory is the subject NAME, and each of its whole
// lines an event whose sequence is the line's number. Lines are only ever added to such a file.
//
// What to change first: the name in CAPE_SOURCE, then where lines() gets its rows from.
#include <cape/source.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

class LineSource {
 public:
  // `dir` must be granted: grant = { read = ["..."] }. Nothing else of the machine's files is there.
  explicit LineSource(const cape::Config& config) : dir_(config.require<std::string>("dir")) {
    if (!fs::is_directory(dir_))
      throw cape::ConfigError("'" + dir_ + "' is no directory here: grant it for reading");
  }

  // A safe upper bound: no event at or below it may appear later. Lines come in order, so their number is
  // one.
  std::optional<std::int64_t> latest(std::string_view subject) {
    const auto all = lines(subject);
    if (!all) return std::nullopt;
    return static_cast<std::int64_t>(all->size());
  }

  // The events from query.start on. The answer proves [start, next_start - 1]: there is no other event in it.
  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    const auto all = lines(query.subject);
    if (!all) return std::nullopt;
    cape::QueryAnswer answer{std::max<std::int64_t>(query.start, 1), static_cast<std::int64_t>(all->size()),
                             false};
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
    while (answer.next_start <= answer.latest && count < query.events_max) {
      const std::string& line = (*all)[static_cast<std::size_t>(answer.next_start - 1)];
      bytes += line.size();
      if (count > 0 && bytes > query.bytes_max)
        break;  // the first one always goes: else nothing would ever move
      if (!events.emit({answer.next_start, 0, "line", line})) break;  // the answer is full
      ++answer.next_start;
      ++count;
    }
    answer.more = answer.next_start <= answer.latest;
    return answer;
  }

  // The subjects behind `token`, in rising byte order; true: there are more. This is how Cape finds what no
  // ping told of.
  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_))
      if (entry.path().extension() == ".txt" && entry.path().stem().string() > token)
        names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    std::uint32_t count = 0;
    for (const std::string& name : names) {
      if (count == subjects_max) return true;
      const auto bound = latest(name);
      if (!bound) continue;  // a directory, or gone by now
      if (!subjects.emit(name, *bound)) return true;
      ++count;
    }
    return false;
  }

 private:
  // Anybody may ping any name, so one that could leave the directory is no subject.
  static bool is_subject(std::string_view name) {
    constexpr std::size_t name_bytes_max = 255;  // of a file on Linux
    return !name.empty() && name.size() + 4 <= name_bytes_max &&
           name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
  }

  // nullopt: no such subject.
  std::optional<std::vector<std::string>> lines(std::string_view subject) const {
    if (!is_subject(subject)) return std::nullopt;
    const fs::path path = fs::path(dir_) / (std::string(subject) + ".txt");
    if (!fs::is_regular_file(path)) return std::nullopt;
    std::ifstream file(path);
    // Runs again after a while, and the operator sees why.
    if (!file) throw cape::Failure(cape::Outcome::retry("cannot open " + path.string()));
    std::vector<std::string> all;
    std::string line;
    while (std::getline(file, line) && !file.eof())
      all.push_back(line);  // a line without its end is still being written
    return all;
  }

  std::string dir_;
};

CAPE_SOURCE(LineSource, "line_source", "1.0.0", CAPE_WANTS_READ)
