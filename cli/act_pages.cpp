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

}  // namespace

void ActPages::add(std::string_view page) {
  const Json answer = Json::parse(page, nullptr, false);
  if (!answer.is_object()) return;
  Json rows = Json::parse(rows_);
  if (const auto at = answer.find("rows"); at != answer.end() && at->is_array())
    for (const Json& row : *at)
      if (rows.size() < rows_max) rows.push_back(row);
  rows_ = dump(rows);
  done_ += count_of(answer, "done");
  refused_ += count_of(answer, "refused");
  const auto next = answer.find("next");
  next_ = next != answer.end() && next->is_string() ? std::optional(next->get<std::string>()) : std::nullopt;
  first_ = page;
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
