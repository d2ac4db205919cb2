// host/worker/kept_versions.hpp
// KeptVersions keeps the plugin bytes that the broker has named on disk, one file HASH.so each, so that a
// host that starts again still has the version that serves when its file was replaced meanwhile. A file that
// a power cut tore is another hash, and so is not found. Works in slices of a MiB, one each step. Thread: the
// host loop.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/unique_fd.hpp"
#include "host/child/child_spec.hpp"

namespace cape::host {

class KeptVersions {
 public:
  // `dir` is made when the first one is kept.
  explicit KeptVersions(fs::path dir) : dir_(std::move(dir)) {}

  // From now on the bytes with these hashes are to be kept; `images`: those of them that are here. What is
  // kept beside them is removed.
  void keep(const std::vector<std::string>& hashes, const std::vector<child::PluginImagePtr>& images);
  void step();
  bool busy() const { return !wanted_.empty(); }

 private:
  fs::path file_of(const std::string& hash) const { return dir_ / (hash + ".so"); }
  void remove_others(const std::vector<std::string>& hashes);
  bool begin();
  void end(bool is_whole);
  void fail(const char* what);

  fs::path dir_;
  std::deque<child::PluginImagePtr> wanted_;  // have yet to be written; the first is on its way
  UniqueFd out_;
  std::uint64_t at_ = 0;  // so many bytes of it are written
  std::string told_;      // the last trouble
};

}  // namespace cape::host
