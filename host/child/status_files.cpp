#include "host/child/status_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/unique_fd.hpp"

namespace cape::child {
namespace {

using nlohmann::json;

const char* name_of(FileVerdict::State state) {
  switch (state) {
    case FileVerdict::State::serves:
      return "serves";
    case FileVerdict::State::stands_by:
      return "stands_by";
    case FileVerdict::State::set_aside:
      return "set_aside";
  }
  return "unknown";
}

json verdict_of(const FileVerdict& file, const TroublesByHash& troubles) {
  json verdict = {{"file", file.file.filename().string()}, {"state", name_of(file.state)}};
  const bool is_aside = file.state == FileVerdict::State::set_aside;
  if (is_aside) {
    verdict["hash"] = file.hash;
    verdict["reason"] = file.reason;
  }
  if (!file.image) return verdict;
  json image = {{"id", file.image->id}, {"version", file.image->version}, {"hash", file.image->hash}};
  if (is_aside)
    verdict["still_good"] = std::move(image);
  else
    verdict.update(image);
  if (const auto at = troubles.find(file.image->hash); at != troubles.end() && !at->second.empty())
    verdict["trouble"] = at->second;
  return verdict;
}

std::string text_of(const json& verdict) {
  return verdict.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string time_text(std::int64_t wall_ns) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_ns / ns_per_s)));
}

// A file of another kind under our name, such as a link, is somebody else's.
bool may_replace(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) return errno == ENOENT;
  return S_ISREG(status.st_mode);
}

// 0 or an errno.
int replace(const fs::path& file, const std::string& text) {
  if (!may_replace(file)) return EEXIST;
  const fs::path draft = file.parent_path() / ("." + file.filename().string() + ".tmp");
  ::unlink(draft.c_str());
  const UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return errno;
  const bool is_written = ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (is_written && std::rename(draft.c_str(), file.c_str()) == 0) return 0;
  const int error = errno != 0 ? errno : ENOSPC;
  ::unlink(draft.c_str());
  return error;
}

}  // namespace

fs::path status_file_of(const fs::path& plugin) {
  return plugin.parent_path() / (plugin.stem().string() + ".status.json");
}

bool runs_sources_alone(const Config& config, const std::string& plugin) {
  const auto has_lambda = [&](const TopologyConfig& topology) {
    return std::ranges::find(topology.lambdas, plugin, &LambdaConfig::plugin) != topology.lambdas.end();
  };
  return std::ranges::find(config.domains, plugin, &DomainConfig::source) != config.domains.end() &&
         std::ranges::none_of(config.topologies, has_lambda);
}

void StatusFiles::update(const std::vector<FileVerdict>& files, const TroublesByHash& troubles,
                         std::int64_t wall_ns) {
  std::map<fs::path, std::string> gone = written_;
  for (const FileVerdict& file : files) {
    if (!file.watched) continue;
    const fs::path beside = status_file_of(file.file);
    gone.erase(beside);
    if (!is_ours_(file.image ? file.image->id : std::string())) {
      written_.erase(beside);
      continue;
    }
    json verdict = verdict_of(file, troubles);
    std::string text = text_of(verdict);
    std::string& written = written_[beside];
    if (written == text) continue;
    written = std::move(text);
    verdict["since"] = time_text(wall_ns);
    write(beside, text_of(verdict));
  }
  for (const auto& [file, verdict] : gone) {
    if (may_replace(file)) ::unlink(file.c_str());
    written_.erase(file);
  }
}

void StatusFiles::write(const fs::path& file, const std::string& text) {
  const int error = replace(file, text);
  bool& told = told_[file.parent_path()];
  if (error == 0 || std::exchange(told, true)) return;
  log::warning("plugins",
               "cannot write {}: {}; verdicts of the plugins in {} are in `cape plugin list` alone",
               file.string(), std::strerror(error), file.parent_path().string());
}

}  // namespace cape::child
