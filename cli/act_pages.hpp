// cli/act_pages.hpp
// The answers to an act over many subjects, page by page, as one answer of the same shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cape::cli {

class ActPages {
 public:
  void add(std::string_view page);
  // From where the next page goes on; nullopt: there is none, or it would be beyond the limit.
  std::optional<std::string> next(std::int64_t subjects_max) const;
  std::int64_t done() const { return done_; }
  std::int64_t refused() const { return refused_; }
  std::string json() const;

 private:
  std::string rows_ = "[]";  // the first hundred
  std::string first_ = "{}";
  std::optional<std::string> next_;
  std::int64_t done_ = 0, refused_ = 0;
};

// The same of what a replay would run.
class SubjectPages {
 public:
  // From where the next page goes on; nullopt: there is none.
  std::optional<std::string> add(std::string_view page);
  std::int64_t subjects() const { return subjects_; }
  std::string json() const;

 private:
  std::string rows_ = "[]";  // the first hundred
  std::string first_ = "{}";
  std::int64_t subjects_ = 0;
};

}  // namespace cape::cli
