// Labels of hosts: those that a host has, and those that a lambda asks for.
#include <fmt/format.h>

#include "core/config/parts.hpp"

namespace cape::config {
namespace {

constexpr std::size_t labels_max = 64;
constexpr std::size_t value_bytes_max = 255;

}  // namespace

HostLabels read_labels(Section& section, std::string_view key) {
  HostLabels labels;
  const Section table = section.table(key);
  if (table.entries().entries.size() > labels_max)
    section.mistake(key, fmt::format("{} labels are too many; {} are allowed", table.entries().entries.size(),
                                     labels_max));
  for (const Entry& entry : table.entries().entries) {
    const auto* value = entry.node.as<std::string>();
    const auto refuse = [&](std::string why) {
      section.mistake_at(entry.line, fmt::format("{}.{}", key, printable(entry.key, 64)), std::move(why));
    };
    if (!is_name(entry.key))
      refuse("not a name: a small letter, then small letters, digits and _, at most 63 in all");
    else if (!value)
      refuse(fmt::format("expected a string, found {}", kind_of(entry.node)));
    else if (value->empty() || value->size() > value_bytes_max)
      refuse(fmt::format("expected 1 to {} bytes, found {}", value_bytes_max, value->size()));
    else
      labels.emplace(entry.key, *value);
  }
  return labels;
}

}  // namespace cape::config
