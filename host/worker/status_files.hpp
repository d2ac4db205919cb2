// host/worker/status_files.hpp
// StatusFiles writes NAME.status.json beside each plugin file NAME.so of the watched directories, so that
// whoever drops a file reads its verdict where it lies (docs/plugin-guide.md has the fields). A file is
// replaced whole, by rename, and only when the verdict changed; it goes with its plugin. Only files of this
// shape that are regular are replaced. Thread: one; each call writes small local files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/child/intake.hpp"

namespace cape::host {

// What stops lambdas from running the bytes with this hash, by the lambda's name: "audit/write".
using Troubles = std::map<std::string, std::string>;
using TroublesByHash = std::map<std::string, Troubles>;

class StatusFiles {
 public:
  void update(const std::vector<child::FileVerdict>& files, const TroublesByHash& troubles,
              std::int64_t wall_ns);

 private:
  void write(const fs::path& file, const std::string& text);

  std::map<fs::path, std::string> written_;  // by status file, the verdict without its time
  std::map<fs::path, bool> told_;            // directories that cannot be written, said once
};

// beside `plugin`: a.so -> a.status.json
fs::path status_file_of(const fs::path& plugin);

}  // namespace cape::host
