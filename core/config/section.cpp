#include "core/config/section.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/config/units.hpp"

namespace cape::config {
namespace {

constexpr std::size_t shown_bytes_max = 128;  // of a value in a message

std::string shown(const Node& node) {
  if (const auto* text = node.as<std::string>()) return '"' + printable(*text, shown_bytes_max) + '"';
  if (const auto* integer = node.as<std::int64_t>()) return std::to_string(*integer);
  if (const auto* number = node.as<double>()) return fmt::format("{}", *number);
  if (const auto* flag = node.as<bool>()) return *flag ? "true" : "false";
  return kind_of(node);
}

std::string plain_text(std::int64_t value) {
  return std::to_string(value);
}
std::optional<std::int64_t> no_text(std::string_view) {
  return std::nullopt;
}

}  // namespace

Section::Section(const Table& table, std::string path, std::uint32_t line, Mistakes& mistakes)
    : table_(&table), path_(std::move(path)), line_(line), mistakes_(&mistakes) {}

const Entry* Section::take(std::string_view key) {
  known_.emplace_back(key);
  return table_->find(key);
}

const Entry* Section::require(std::string_view key, std::string_view example) {
  const Entry* entry = take(key);
  if (!entry) mistake(key, fmt::format("missing; write for example: {}", example));
  return entry;
}

void Section::flag(std::string_view key, bool& into) {
  const Entry* entry = take(key);
  if (!entry) return;
  if (const bool* value = entry->node.as<bool>())
    into = *value;
  else
    expected(*entry, "true or false");
}

void Section::number(std::string_view key, double& into, double min, double max) {
  const Entry* entry = take(key);
  if (!entry) return;
  const auto* real = entry->node.as<double>();
  const auto* integer = entry->node.as<std::int64_t>();
  const double value = real ? *real : integer ? static_cast<double>(*integer) : std::nan("");
  if (value >= min && value <= max)
    into = value;
  else
    expected(*entry, fmt::format("a number from {} to {}", min, max));
}

std::optional<std::int64_t> Section::scaled(std::string_view key, const Scale& scale, Bounds bounds) {
  const Entry* entry = take(key);
  if (!entry) return std::nullopt;
  std::optional<std::int64_t> value;
  if (const auto* text = entry->node.as<std::string>()) value = scale.parse(*text);
  if (const auto* integer = entry->node.as<std::int64_t>(); integer && scale.plain_integers) value = *integer;
  if (value && *value >= bounds.min && *value <= bounds.max) return value;

  const std::string range = bounds.max == Bounds{}.max ? fmt::format("at least {}", scale.text(bounds.min))
                                                       : fmt::format("from {} to {}", scale.text(bounds.min),
                                                                     scale.text(bounds.max));
  expected(*entry, fmt::format("{}, {}", scale.expected, range));
  return std::nullopt;
}

void Section::integer(std::string_view key, std::uint32_t& into, Bounds bounds) {
  bounds.max = std::min<std::int64_t>(bounds.max, UINT32_MAX);
  const auto value = scaled(key, {"an integer", no_text, plain_text, true}, bounds);
  if (value) into = static_cast<std::uint32_t>(*value);
}

void Section::duration_ms(std::string_view key, std::int64_t& into, Bounds bounds) {
  const Scale scale{"a duration such as \"200ms\", \"5s\", \"10m\" or \"1h\"", parse_duration_ms,
                    duration_text, false};
  if (const auto value = scaled(key, scale, bounds)) into = *value;
}

void Section::size(std::string_view key, std::uint64_t& into, Bounds bounds) {
  const Scale scale{"a size such as \"64KiB\", \"512MiB\" or bytes as an integer", parse_size_bytes,
                    size_text, true};
  if (const auto value = scaled(key, scale, bounds)) into = static_cast<std::uint64_t>(*value);
}

void Section::size(std::string_view key, std::uint32_t& into, Bounds bounds) {
  std::uint64_t wide = into;
  bounds.max = std::min<std::int64_t>(bounds.max, UINT32_MAX);
  size(key, wide, bounds);
  into = static_cast<std::uint32_t>(wide);
}

std::optional<std::string> Section::text(std::string_view key) {
  const Entry* entry = take(key);
  if (!entry) return std::nullopt;
  if (const auto* value = entry->node.as<std::string>()) return *value;
  expected(*entry, "a string");
  return std::nullopt;
}

std::string Section::name(std::string_view key, std::string_view example) {
  const Entry* entry = require(key, example);
  if (!entry) return {};
  const auto* value = entry->node.as<std::string>();
  if (value && is_name(*value)) return *value;
  expected(*entry, "a name: a small letter, then small letters, digits and _, at most 63 in all");
  return {};
}

std::optional<fs::path> Section::path_of(std::string_view key, const Node& node, const fs::path& base) {
  const auto* text = node.as<std::string>();
  if (!text || text->empty() || text->find('\0') != std::string::npos) {
    mistake_at(node.line, key, fmt::format("expected a path, found {}", shown(node)));
    return std::nullopt;
  }
  fs::path path = (base / *text).lexically_normal();
  return path.has_filename() ? path : path.parent_path();  // "dir/" names the same as "dir"
}

std::optional<fs::path> Section::path(std::string_view key, const fs::path& base) {
  const Entry* entry = take(key);
  return entry ? path_of(key, entry->node, base) : std::nullopt;
}

std::vector<fs::path> Section::paths(std::string_view key, const fs::path& base) {
  std::vector<fs::path> out;
  const Entry* entry = take(key);
  if (!entry) return out;
  const auto* array = entry->node.as<Array>();
  if (!array)
    expected(*entry, "an array of paths");
  else
    for (const Node& item : array->items)
      if (auto path = path_of(key, item, base)) out.push_back(*std::move(path));
  return out;
}

std::vector<std::string> Section::texts(std::string_view key) {
  std::vector<std::string> out;
  const Entry* entry = take(key);
  if (!entry) return out;
  const auto* array = entry->node.as<Array>();
  if (!array)
    expected(*entry, "an array of strings");
  else
    for (const Node& item : array->items) {
      if (const auto* value = item.as<std::string>())
        out.push_back(*value);
      else
        mistake_at(item.line, key, fmt::format("expected a string, found {}", shown(item)));
    }
  return out;
}

Section Section::table(std::string_view key) {
  const Entry* entry = take(key);
  const Table* inner = entry ? entry->node.as<Table>() : nullptr;
  if (entry && !inner) expected(*entry, "a table");
  return Section(inner ? *inner : no_table, dotted(key), entry ? entry->line : line_, *mistakes_);
}

void Section::finish() {
  for (const Entry& entry : table_->entries) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    const std::string_view meant = nearest(entry.key, known_);
    mistake_at(entry.line, entry.key,
               meant.empty() ? fmt::format("unknown key; known here: {}", fmt::join(known_, ", "))
                             : fmt::format("unknown key; did you mean \"{}\"?", meant));
  }
}

void Section::mistake(std::string_view key, std::string message) {
  const Entry* entry = table_->find(key);
  mistake_at(entry ? entry->line : line_, key, std::move(message));
}

void Section::mistake_at(std::uint32_t line, std::string_view key, std::string message) {
  mistakes_->push_back({line, dotted(key), std::move(message)});
}

std::string Section::dotted(std::string_view key) const {
  const std::string part = printable(key, shown_bytes_max);
  return path_.empty() ? part : part.empty() ? path_ : path_ + '.' + part;
}

void Section::expected(const Entry& entry, std::string_view what) {
  mistake_at(entry.line, entry.key, fmt::format("expected {}, found {}", what, shown(entry.node)));
}

}  // namespace cape::config
