// tests/system/order_checker.hpp
// OrderChecker holds what a lambda saw against what the source has, for one topology: every event at least
// once, first occurrences rising without a gap, and repeats only from the saved cursor on. Sees nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cape::test {

struct Seen {
  std::string subject;
  std::int64_t sequence = 0;
};

class OrderChecker {
 public:
  // The source: all sequences of a subject, rising.
  void expect(const std::string& subject, std::int64_t sequence) { subjects_[subject].all.push_back(sequence); }
  // The saved cursor of a subject is known to be at least this now: nothing at or below it may run again.
  void saved(const std::string& subject, std::int64_t cursor);
  // The lambda ran this. Call in the order of running.
  void ran(const Seen& seen);
  // No cursor may stand past an event that has not run.
  void cursor_stands(const std::string& subject, std::int64_t cursor);
  void finish();  // everything must have run

  const std::vector<std::string>& mistakes() const { return mistakes_; }
  std::uint64_t repeats() const { return repeats_; }
  std::uint64_t runs() const { return runs_; }

 private:
  struct Subject {
    std::vector<std::int64_t> all;
    std::size_t next = 0;      // index after the last one that ran
    std::size_t first_new = 0; // index of the first that never ran
    std::int64_t saved = 0;
  };
  void mistake(const std::string& subject, std::int64_t sequence, const std::string& what);

  std::map<std::string, Subject> subjects_;
  std::vector<std::string> mistakes_;
  std::uint64_t repeats_ = 0, runs_ = 0;
};

}  // namespace cape::test
