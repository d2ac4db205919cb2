// The keys at the top of the file, and the order in which its tables are read.
#include <algorithm>

#include <fmt/format.h>

#include "core/config/parts.hpp"

namespace cape::config {
namespace {

constexpr std::int64_t s_ms = 1000;
constexpr std::int64_t h_ms = 3'600'000;

void read_refresh(Section& file, RefreshConfig& refresh) {
  Section section = file.table("refresh");
  section.flag("enabled", refresh.enabled);
  section.integer("subjects_per_s", refresh.subjects_per_s, {.min = 1, .max = 10'000'000});
  section.finish();
}

void read_rollback(Section& file, RollbackConfig& rollback) {
  Section section = file.table("rollback");
  section.number("slower", rollback.slower, 0, 1'000'000);
  section.duration_ms("above", rollback.above_ms, {.min = 1, .max = h_ms});
  section.integer("events", rollback.events, {.min = 20, .max = 10'000});
  if (rollback.slower != 0 && rollback.slower < 1)
    section.mistake("slower", "expected a number of 1 or more, or 0 for never");
  section.finish();
}

std::optional<TrustedKey> trusted_key_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  TrustedKey key{.name = text.substr(0, colon), .hex = text.substr(colon + 1)};
  const bool is_hex =
      key.hex.size() == 64 && key.hex.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_name(key.name) && is_hex ? std::optional(std::move(key)) : std::nullopt;
}

void read_signatures(Section& file, Config& config) {
  file.flag("require_signature", config.require_signature);
  for (const std::string& text : file.texts("trusted_keys")) {
    const auto key = trusted_key_of(text);
    const auto same_name = [&](const TrustedKey& other) { return key && other.name == key->name; };
    if (text.starts_with("secret:"))
      file.mistake(
          "trusted_keys",
          "a secret key stands here: take NAME.public, and make a new key, for this one is known now");
    else if (!key)
      file.mistake(
          "trusted_keys",
          fmt::format("\"{}\" is no key: expected NAME:PUBLIC as in NAME.public of `cape keys signing`",
                      printable(text, 100)));
    else if (std::ranges::any_of(config.trusted_keys, same_name))
      file.mistake("trusted_keys",
                   fmt::format("two keys are called {}; each needs a name of its own", key->name));
    else
      config.trusted_keys.push_back(*key);
  }
  if (config.require_signature && config.trusted_keys.empty())
    file.mistake("require_signature", "no plugin file could be taken in: name a key in trusted_keys");
}

void read_sandbox(Section& file, char& require) {
  Section section = file.table("sandbox");
  if (const auto level = section.text("require")) {
    if (level->size() == 1 && *level >= "A" && *level <= "D")
      require = level->front();
    else
      section.mistake("require", "expected \"A\", \"B\", \"C\" or \"D\": the least level a child must reach");
  }
  section.finish();
}

// A host keeps the versions of a canary on its disk and serves them after its next start: bytes that whoever
// writes there could have put, and that no signature lies beside.
void refuse_unsigned_versions(Section& file, const Config& config) {
  if (!config.require_signature) return;
  for (const TopologyConfig& topology : config.topologies)
    for (const LambdaConfig& lambda : topology.lambdas)
      if (lambda.canary)
        return file.mistake(
            "require_signature",
            fmt::format("lambda '{}' of topology '{}' has a canary, whose versions a host keeps without "
                        "their signatures; take out the one or the other",
                        lambda.name, topology.name));
}

void read_top(Section& file, Config& config) {
  config.data_dir = config.base_dir() / "data";
  if (auto path = file.path("data_dir", config.base_dir())) config.data_dir = *std::move(path);
  config.plugins = file.paths("plugins", config.base_dir());
  // Shorter than a second and a busy machine loses healthy hosts.
  file.duration_ms("lease", config.lease_ms, {.min = s_ms, .max = h_ms});
  file.size("payload_bytes_max", config.payload_bytes_max,
            {.min = 1, .max = static_cast<std::int64_t>(payload_bytes_ceiling)});
  file.size("outputs_bytes_max", config.outputs_bytes_max, {.min = 1 << 20, .max = std::int64_t{64} << 30});
  read_refresh(file, config.refresh);
  read_rollback(file, config.rollback);
  read_sandbox(file, config.sandbox_require);
  read_signatures(file, config);
  read_listen(file, config);
}

}  // namespace

void for_each_named(Section section, const std::function<void(const std::string&, Section)>& read) {
  for (const Entry& entry : section.entries().entries) {
    const Table* table = entry.node.as<Table>();
    if (!is_name(entry.key))
      section.mistake_at(entry.line, entry.key,
                         "not a name: a small letter, then small letters, digits and _, at most 63 in all");
    else if (!table)
      section.mistake_at(entry.line, entry.key,
                         fmt::format("expected a table, found {}", kind_of(entry.node)));
    else
      read(entry.key, Section(*table, section.dotted(entry.key), entry.line, section.mistakes()));
  }
}

}  // namespace cape::config

namespace cape {

ConfigResult parse_config(std::string_view text, const fs::path& file) {
  const auto table = config::parse_toml(text);
  if (!table) return std::unexpected(std::vector{table.error()});

  Config config;
  std::error_code no_working_directory;
  config.file = fs::absolute(file, no_working_directory).lexically_normal();
  config::Mistakes mistakes;
  config::Section section(*table, "", 0, mistakes);
  config::read_top(section, config);
  config::read_domains(section, config);
  config::read_topologies(section, config);
  config::refuse_unsigned_versions(section, config);
  section.finish();
  if (mistakes.empty()) return config;

  std::ranges::stable_sort(mistakes, {}, &ConfigMistake::line);
  return std::unexpected(std::move(mistakes));
}

}  // namespace cape
