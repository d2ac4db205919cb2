#include "tests/system/history.hpp"

#include <cstdio>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace cape::test {
namespace {

struct Line {
  std::string subject, op, path;
  std::int64_t sequence = 0, seconds = 0;
};

Line parse(const std::string& text) {
  std::vector<std::string> cells;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find('\t', from)) != std::string::npos; from = at + 1)
    cells.push_back(text.substr(from, at - from));
  cells.push_back(text.substr(from));
  if (cells.size() != 5) throw std::runtime_error("the history has a line without five columns");
  return {cells[0], cells[3], cells[4], std::stoll(cells[1]), std::stoll(cells[2])};
}

std::vector<Line> read_lines() {
  FILE* unzip = popen("gzip -dc " CAPE_HISTORY_FILE, "r");
  if (!unzip) throw std::runtime_error("cannot read " CAPE_HISTORY_FILE);
  std::vector<Line> lines;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, unzip)) {
    std::string text = buffer;
    if (!text.empty() && text.back() == '\n') text.pop_back();
    lines.push_back(parse(text));
  }
  if (pclose(unzip) != 0 || lines.size() != history_events)
    throw std::runtime_error(CAPE_HISTORY_FILE " is not whole");
  return lines;
}

const std::vector<Line>& lines() {
  static const std::vector<Line> all = read_lines();
  return all;
}

}  // namespace

const std::vector<Seen>& history() {
  static const std::vector<Seen> all = [] {
    std::vector<Seen> seen;
    for (const Line& line : lines()) seen.push_back({line.subject, line.sequence});
    return seen;
  }();
  return all;
}

std::string history_jsonl(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const Line& line = lines()[i];
    const nlohmann::json event{{"subject", line.subject},
                               {"sequence", line.sequence},
                               {"time_ns", line.seconds * 1'000'000'000},
                               {"type", line.op},
                               {"payload", line.path}};
    text += event.dump() + "\n";
  }
  return text;
}

OrderChecker history_checker(std::size_t count) {
  OrderChecker checker;
  for (std::size_t i = 0; i < count; ++i) checker.expect(history()[i].subject, history()[i].sequence);
  return checker;
}

void check(OrderChecker& checker, const std::vector<Recorded>& ran) {
  for (const Recorded& r : ran) checker.ran({r.subject, r.sequence});
}

std::string text_of(const OrderChecker& checker) {
  std::string text;
  for (const std::string& mistake : checker.mistakes()) text += mistake + "\n";
  return text;
}

}  // namespace cape::test
