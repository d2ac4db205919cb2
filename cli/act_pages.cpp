#include "cli/act_pages.hpp"

#include <nlohmann/json.hpp>

#include "cli/json_dump.hpp"

namespace cape::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t rows_max = 100;

std::int64_t count_of(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

std::string with_rows(const std::string& before, const Json& answer) {
  Json rows = Json::parse(before);
  if (const auto at = answer.find("rows"); at != answer.end() && at->is_array())
    for (const Json& row : *at)
      if (rows.size() < rows_max) rows.push_back(row);
  return dump(rows);
}

std::optional<std::string> next_of(const Json& answer) {
  const auto next = answer.find("next");
  return next != answer.end() && next->is_string() ? std::optional(next->get<std::string>()) : std::nullopt;
}

}  // namespace

void ActPages::add(std::string_view page) {
  const Json answer = Json::parse(page, nullptr, false);
  if (!answer.is_object()) return;
  rows_ = with_rows(rows_, answer);
  done_ += count_of(answer, "done");
  refused_ += count_of(answer, "refused");
  next_ = next_of(answer);
  first_ = page;
}

std::optional<std::string> SubjectPages::add(std::string_view page) {
  const Json answer = Json::parse(page, nullptr, false);
  if (!answer.is_object()) return std::nullopt;
  rows_ = with_rows(rows_, answer);
  subjects_ += count_of(answer, "subjects");
  first_ = page;
  return next_of(answer);
}

std::string SubjectPages::json() const {
  Json whole = Json::parse(first_, nullptr, false);
  whole["subjects"] = subjects_;
  whole["rows"] = Json::parse(rows_);
  return dump(whole);
}

std::optional<std::string> ActPages::next(std::int64_t subjects_max) const {
  return done_ < subjects_max ? next_ : std::nullopt;
}

std::string ActPages::json() const {
  Json whole = Json::parse(first_, nullptr, false);
  whole["done"] = done_;
  whole["refused"] = refused_;
  whole["rows"] = Json::parse(rows_);
  whole["next"] = next_ ? Json(*next_) : Json(nullptr);
  return dump(whole);
}

}  // namespace cape::cli
