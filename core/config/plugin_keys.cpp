// What a domain and a lambda share: the plugin's own config, its grant, its limits.
#include <fmt/format.h>

#include "core/config/config_json.hpp"
#include "core/config/parts.hpp"
#include "core/config/units.hpp"

namespace cape::config {
namespace {

constexpr std::int64_t MiB = 1 << 20;
constexpr std::int64_t GiB = 1 << 30;

std::string read_config(Section& section) {
  const Entry* entry = section.take("config");
  if (!entry) return "{}";
  const Table* table = entry->node.as<Table>();
  if (!table) {
    section.mistake("config", fmt::format("expected a table, found {}", kind_of(entry->node)));
    return "{}";
  }
  auto json = to_json(*table);
  if (json) return *std::move(json);
  section.mistake_at(json.error().line ? json.error().line : entry->line, "config", json.error().message);
  return "{}";
}

bool is_at_or_below(const fs::path& path, const fs::path& top) {
  const auto [in_top, in_path] = std::mismatch(top.begin(), top.end(), path.begin(), path.end());
  return in_top == top.end();
}

// A plugin that could write its own grants, its own code or the cursors would be in no sandbox. Told by the
// path's text alone: nothing is followed here.
std::string write_mistake(const fs::path& path, const Config& config) {
  if (is_at_or_below(path, config.data_dir))
    return "lies in data_dir, which Cape alone writes; for files of the plugin's own grant state = true";
  if (is_at_or_below(config.data_dir, path))
    return "holds data_dir, which Cape alone writes; grant a directory beside it";
  if (is_at_or_below(config.file, path))
    return "holds this config file, so the plugin could grant itself anything; grant a directory below it";
  for (const fs::path& plugins : config.plugins)
    if (is_at_or_below(plugins, path) || is_at_or_below(path, plugins))
      return "reaches a plugin directory, so the plugin could replace its own code; grant another directory";
  return {};
}

bool reaches_keys(const fs::path& path, const Config& config) {
  return !config.keys_dir.empty() &&
         (is_at_or_below(config.keys_dir, path) || is_at_or_below(path, config.keys_dir));
}

bool is_of_the_kernel(const fs::path& path) {
  if (path != "/dev/shm" && is_at_or_below(path, "/dev/shm")) return false;
  return is_at_or_below(path, "/proc") || is_at_or_below(path, "/sys") || is_at_or_below(path, "/dev");
}

// What no plugin gets, whatever lies there.
std::string place_mistake(const fs::path& path, const Config& config) {
  if (path == "/") return "is the whole machine; grant the directory that the plugin needs";
  if (is_of_the_kernel(path))
    return "shows the kernel and its devices, not files; grant a directory on a disk";
  if (reaches_keys(path, config))
    return "reaches keys.dir, whose secrets are no plugin's; grant another directory";
  return {};
}

// Loaded code that somebody could have written in a sandbox would run with this lambda's grants.
std::string code_mistake(const fs::path& path, const Grant& grant, const Config& config) {
  if (is_at_or_below(path, config.data_dir) || is_at_or_below(config.data_dir, path))
    return "reaches data_dir, where plugins write their state; keep libraries elsewhere";
  for (const fs::path& written : grant.write)
    if (is_at_or_below(path, written) || is_at_or_below(written, path))
      return fmt::format("reaches \"{}\", which is granted for writing; keep libraries elsewhere",
                         printable(written.string(), 256));
  return {};
}

std::uint32_t line_of(const Section& table, std::string_view key) {
  const Entry* entry = table.entries().find(key);
  return entry ? entry->line : table.line();
}

// One port, or nullopt after a mistake.
std::optional<std::uint16_t> read_port(Section& table, const Node& node) {
  const auto* port = node.as<std::int64_t>();
  if (port && *port >= 1 && *port <= 65'535) return static_cast<std::uint16_t>(*port);
  table.mistake_at(node.line, "network",
                   port ? fmt::format("expected a port from 1 to 65535, found {}", *port)
                        : fmt::format("expected a port from 1 to 65535, found {}", kind_of(node)));
  return std::nullopt;
}

std::vector<std::uint16_t> read_ports(Section& table) {
  constexpr std::size_t ports_max = 64;
  std::vector<std::uint16_t> ports;
  const Entry* entry = table.take("network");
  if (!entry) return ports;
  const auto* list = entry->node.as<Array>();
  if (!list || list->items.size() > ports_max) {
    table.mistake("network",
                  fmt::format("expected at most {} TCP ports to connect to, as in [443, 5432]", ports_max));
    return ports;
  }
  for (const Node& node : list->items)
    if (const auto port = read_port(table, node)) ports.push_back(*port);
  return ports;
}

Grant read_grant(Section& section, const Config& config) {
  Grant grant;
  Section table = section.table("grant");
  grant.read = table.paths("read", config.base_dir());
  grant.write = table.paths("write", config.base_dir());
  grant.code = table.paths("code", config.base_dir());
  table.flag("state", grant.state);
  grant.network = read_ports(table);
  table.finish();
  grant.read_line = line_of(table, "read");
  grant.write_line = line_of(table, "write");
  grant.code_line = line_of(table, "code");
  for (const fs::path& path : grant.read)
    if (const std::string wrong = place_mistake(path, config); !wrong.empty())
      table.mistake("read", fmt::format("\"{}\" {}", printable(path.string(), 256), wrong));
  for (const fs::path& path : grant.write) {
    std::string wrong = place_mistake(path, config);
    if (wrong.empty()) wrong = write_mistake(path, config);
    if (!wrong.empty())
      table.mistake("write", fmt::format("\"{}\" {}", printable(path.string(), 256), wrong));
  }
  for (const fs::path& path : grant.code) {
    std::string wrong = place_mistake(path, config);
    if (wrong.empty()) wrong = code_mistake(path, grant, config);
    if (!wrong.empty()) table.mistake("code", fmt::format("\"{}\" {}", printable(path.string(), 256), wrong));
  }
  return grant;
}

Limits read_limits(Section& section) {
  Limits limits;
  Section table = section.table("limits");
  table.size("memory", limits.memory_bytes, {.min = 16 * MiB, .max = 1024 * GiB});
  table.size("file_size", limits.file_bytes, {.min = 0, .max = 1024 * GiB});
  table.size("output", limits.output_bytes, {.min = 0, .max = output_bytes_ceiling});
  table.integer("threads", limits.threads, {.min = 1, .max = 4096});
  table.integer("files", limits.files, {.min = 16, .max = 65'536});
  table.integer("log_lines", limits.log_lines_per_s, {.min = 1, .max = 100'000});
  table.number("cpu", limits.cpu_cores, 0.01, 1024);
  limits.recycle_bytes = limits.memory_bytes / 4 * 3;
  table.size("recycle", limits.recycle_bytes, {.min = 8 * MiB, .max = 1024 * GiB});
  if (limits.recycle_bytes > limits.memory_bytes)
    table.mistake("recycle", "is above limits.memory, so it would never be met; lower it");
  table.finish();
  return limits;
}

}  // namespace

PluginKeys read_plugin_keys(Section& section, const Config& config) {
  return {.config_json = read_config(section),
          .grant = read_grant(section, config),
          .limits = read_limits(section)};
}

void check_timeouts(Section& section, std::int64_t timeout_ms, std::int64_t timeout_max_ms) {
  if (timeout_ms <= timeout_max_ms) return;
  section.mistake(section.entries().find("timeout") ? "timeout" : "timeout_max",
                  fmt::format("timeout ({}) is longer than timeout_max ({}); raise timeout_max",
                              duration_text(timeout_ms), duration_text(timeout_max_ms)));
}

}  // namespace cape::config
