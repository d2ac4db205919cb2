// host/check/checker.hpp
// `cape plugin check` without its words: prepares the file, runs the chosen checks in order, collects
// findings. Thread: one; blocks while children run.
#pragma once

#include <functional>

#include "core/error.hpp"
#include "host/check/check.hpp"

namespace cape::check {

struct CheckOptions {
  std::vector<std::string> only, skip;  // ids, or first letters for a whole group; empty: all, none
  std::string settings_json = "{}";
  Grant grant;
  std::uint64_t seed = 1;
  bool in_process = false;  // without a child: what crashes or hangs the plugin does so to this process
  std::function<void(const Check&, const Finding&)> tell;  // as each ends
};

struct Checked {
  std::string id;
  Finding finding;
};
struct CheckReport {
  std::string plugin, version, hash;  // as far as they could be read
  std::vector<Checked> checks;
  std::uint64_t seed = 1;
  bool good() const;            // none is bad
  std::size_t starved() const;  // promises that nothing was found out about
};

// Which of `names` is neither a check's id nor a group; empty: none.
std::string unknown_check(const std::vector<std::string>& names);

// Error: the file cannot be read at all.
Result<CheckReport> check_plugin(const fs::path& file, const CheckOptions& options);
// The same with `checks` instead of all; their ids' letters say how each is run.
Result<CheckReport> check_plugin(const fs::path& file, const CheckOptions& options,
                                 std::span<const Check> checks);

// A plugin's file as a child needs it: sealed, hashed. Error: invalid with what is wrong.
Result<std::shared_ptr<child::PluginImage>> take_image(const fs::path& file);
// Its manifest, read in a confined child without running any of it, and noted in the image. Error::conflict:
// of another ABI; else invalid.
Result<child::ManifestReport> read_manifest(child::PluginImage& image);

}  // namespace cape::check
