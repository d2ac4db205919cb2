// host/child/status_files.hpp
// StatusFiles writes NAME.status.json beside each plugin file NAME.so of the watched directories, so that
// whoever drops a file reads its verdict where it lies (docs/plugin-guide.md has the fields). A file is
// replaced whole, by rename, and only when the verdict changed; it goes with its plugin. Only files of this
// shape that are regular are replaced. Broker and host may watch one directory: each file has one of them as
// its writer, and the other one leaves it alone. Thread: one; each call writes small local files.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "host/child/intake.hpp"

namespace cape::child {

// What stops lambdas or sources from running the bytes with this hash, by the lambda's name, "audit/write",
// or the domain's.
using Troubles = std::map<std::string, std::string>;
using TroublesByHash = std::map<std::string, Troubles>;

// The broker is the writer of what only sources run: true of a plugin that a domain names and no lambda.
bool runs_sources_alone(const Config& config, const std::string& plugin);

class StatusFiles {
 public:
  // `is_ours`: whether this process is the writer of a plugin's files. By id; empty: not known, since no
  // bytes of the file were ever good.
  explicit StatusFiles(std::function<bool(const std::string& plugin)> is_ours)
      : is_ours_(std::move(is_ours)) {}

  void update(const std::vector<FileVerdict>& files, const TroublesByHash& troubles, std::int64_t wall_ns);

 private:
  void write(const fs::path& file, const std::string& text);

  std::function<bool(const std::string&)> is_ours_;
  std::map<fs::path, std::string> written_;  // by status file, the verdict without its time
  std::map<fs::path, bool> told_;            // directories that cannot be written, said once
};

// beside `plugin`: a.so -> a.status.json
fs::path status_file_of(const fs::path& plugin);

}  // namespace cape::child
