#include "cli/append_lines.hpp"

#include <algorithm>
#include <map>

#include "cli/jsonl.hpp"

namespace cape::cli {
namespace {

class Appender {
 public:
  Appender(const AppendLimits& limits, const AppendPorts& ports) : limits_(limits), ports_(ports) {}

  // false: stop, the report says why.
  bool take(std::string_view line, std::uint64_t number);
  bool flush();
  void stop(std::uint64_t line, Error error);
  AppendReport report;

 private:
  bool append_group();
  bool append(std::size_t first, std::size_t count, Error& error);

  const AppendLimits& limits_;
  const AppendPorts& ports_;
  std::vector<storage::NewEvent> group_;
  std::vector<std::uint64_t> lines_;  // of the group's events
  std::size_t group_bytes_ = 0;
  std::map<std::string, Sequence, std::less<>> to_ping_;
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

bool Appender::take(std::string_view line, std::uint64_t number) {
  if (is_blank(line)) return true;
  auto event = parse_event_line(line, limits_.payload_bytes_max);
  if (!event) {
    stop(number, std::move(event.error()));
    return false;
  }
  group_bytes_ += event->payload.size();
  group_.push_back(std::move(*event));
  lines_.push_back(number);
  const bool full = group_.size() >= limits_.group_events_max || group_bytes_ >= limits_.group_bytes_max;
  return !full || flush();
}

// What stands before the bad line is good and goes in first; should that fail, its line is the first bad one.
void Appender::stop(std::uint64_t line, Error error) {
  if (!flush()) return;
  report.bad_line = line;
  report.error = std::move(error);
}

bool Appender::flush() {
  const bool all = append_group();
  for (const auto& [subject, sequence] : to_ping_) ports_.ping(subject, sequence);
  to_ping_.clear();
  group_.clear();
  lines_.clear();
  group_bytes_ = 0;
  return all;
}

bool Appender::append_group() {
  Error error;
  if (group_.empty() || append(0, group_.size(), error)) return true;
  // One event refused the whole group. One by one, the good ones before it go in and its line is exact.
  for (std::size_t i = 0; i < group_.size(); ++i) {
    if (append(i, 1, error)) continue;
    report.bad_line = lines_[i];
    report.error = std::move(error);
    return false;
  }
  return true;
}

bool Appender::append(std::size_t first, std::size_t count, Error& error) {
  auto sequences = ports_.append(std::span(group_).subspan(first, count));
  if (!sequences) {
    error = std::move(sequences.error());
    return false;
  }
  for (std::size_t i = 0; i < sequences->size(); ++i) {
    Sequence& last = to_ping_[group_[first + i].subject];
    last = std::max(last, (*sequences)[i]);
  }
  report.appended += sequences->size();
  return true;
}

}  // namespace

AppendReport append_lines(LineReader& lines, const AppendLimits& limits, const AppendPorts& ports) {
  Appender appender(limits, ports);
  for (;;) {
    if (lines.must_wait() && !appender.flush()) break;
    auto line = lines.next();
    if (!line) {
      appender.stop(lines.number(), std::move(line.error()));
      break;
    }
    if (!*line) {
      appender.flush();
      break;
    }
    if (!appender.take(**line, lines.number())) break;
  }
  return std::move(appender.report);
}

}  // namespace cape::cli
