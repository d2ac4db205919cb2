#include "tests/system/order_checker.hpp"

#include <algorithm>

namespace cape::test {

void OrderChecker::mistake(const std::string& subject, std::int64_t sequence, const std::string& what) {
  if (mistakes_.size() < 20) mistakes_.push_back("(" + subject + ", " + std::to_string(sequence) + ") " + what);
}

void OrderChecker::saved(const std::string& subject, std::int64_t cursor) {
  Subject& s = subjects_[subject];
  if (cursor < s.saved) mistake(subject, cursor, "the saved cursor went back from " + std::to_string(s.saved));
  s.saved = std::max(s.saved, cursor);
}

void OrderChecker::ran(const Seen& seen) {
  ++runs_;
  auto found = subjects_.find(seen.subject);
  if (found == subjects_.end()) return mistake(seen.subject, seen.sequence, "ran, but its subject is not in the source");
  Subject& s = found->second;
  auto at = std::ranges::lower_bound(s.all, seen.sequence);
  if (at == s.all.end() || *at != seen.sequence) return mistake(seen.subject, seen.sequence, "ran, but is not in the source");
  const auto index = static_cast<std::size_t>(at - s.all.begin());
  if (index > s.first_new) mistake(seen.subject, seen.sequence, "ran before " + std::to_string(s.all[s.first_new]));
  if (index != s.next) {  // a repeat begins
    if (index > s.next) mistake(seen.subject, seen.sequence, "was jumped to; next was " + std::to_string(s.all[s.next]));
    if (seen.sequence <= s.saved) mistake(seen.subject, seen.sequence, "ran again below the saved cursor " + std::to_string(s.saved));
  }
  if (index < s.first_new) ++repeats_;
  s.next = index + 1;
  s.first_new = std::max(s.first_new, s.next);
}

void OrderChecker::cursor_stands(const std::string& subject, std::int64_t cursor) {
  const Subject& s = subjects_[subject];
  if (s.first_new < s.all.size() && s.all[s.first_new] <= cursor)
    mistake(subject, s.all[s.first_new], "has not run, but the cursor stands at " + std::to_string(cursor));
}

void OrderChecker::finish() {
  for (const auto& [name, s] : subjects_)
    if (s.first_new < s.all.size()) mistake(name, s.all[s.first_new], "never ran");
}

}  // namespace cape::test
