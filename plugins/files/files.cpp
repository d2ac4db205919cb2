// The event source `files`: the files below a directory, each change an event of the directory it lies in.
//
//   grant  = { read = ["tree"], state = true }     both needed
//   config = {
//     root = "tree"            the directory that is watched
//     ignore = [".git"]        names that are not looked at, in any directory
//     events_max = 1000000     events kept; the last one of every file that is there is kept besides
//     compare_every_s = 3600   the whole tree is compared with what was recorded, as a backstop
//   }
//
// Cape's own data_dir is left out wherever it lies in the tree. STATE_DIR/files.db is the journal
// (ledger.hpp).
#include <fcntl.h>

#include <cape/source.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "reader.hpp"
#include "watcher.hpp"

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds compare_unwatched_every{5'000};
constexpr milliseconds scan_waits{250};

std::set<std::string> ignored_names(const cape::Config& config) {
  const nlohmann::json all = nlohmann::json::parse(config.json(), nullptr, false);
  std::set<std::string> names;
  if (!all.is_object() || !all.contains("ignore")) return names;
  const nlohmann::json& list = all["ignore"];
  for (const nlohmann::json& name : list.is_array() ? list : nlohmann::json::array({nullptr})) {
    if (!name.is_string() || name.get<std::string>().find('/') != std::string::npos)
      throw cape::ConfigError(
          "config key 'ignore' must be a list of names without '/', as [\".git\", \"build\"]");
    names.insert(name.get<std::string>());
  }
  return names;
}

std::int64_t whole_number(const cape::Config& config, const std::string& key, std::int64_t fallback,
                          std::int64_t min, std::int64_t max) {
  const std::int64_t value = config.get(key, fallback);
  if (value < min || value > max)
    throw cape::ConfigError("config key '" + key + "' must be from " + std::to_string(min) + " to " +
                            std::to_string(max));
  return value;
}

files::WatcherOptions options_of(const cape::Config& config, const cape::Host& host) {
  files::WatcherOptions options;
  options.state_dir = host.state_dir();
  if (options.state_dir.empty())
    throw cape::ConfigError(
        "files has no directory for its journal: set grant = { read = [ROOT], state = true }");
  // The working directory is the config file's.
  options.root = fs::absolute(config.require<std::string>("root")).lexically_normal().string();
  while (options.root.size() > 1 && options.root.back() == '/') options.root.pop_back();
  if (options.root == options.state_dir || (options.root + "/").rfind(options.state_dir + "/", 0) == 0)
    throw cape::ConfigError("config key 'root' lies in this source's own state directory");
  options.ledger = options.state_dir + "/files.db";
  options.domain = host.domain();
  options.ignored = ignored_names(config);
  options.events_max = whole_number(config, "events_max", 1'000'000, 1'000, 1'000'000'000);
  options.compare_every =
      milliseconds(1'000 * whole_number(config, "compare_every_s", 3'600, 1, 7 * 24 * 3'600));
  options.compare_unwatched_every = std::min(compare_unwatched_every, options.compare_every);
  return options;
}

class Files {
 public:
  Files(const cape::Config& config, const cape::Host& host) : Files(options_of(config, host), host) {}

  std::optional<std::int64_t> latest(std::string_view subject) {
    return reading([&](journal::Reader& reader) { return reader.latest(subject); });
  }
  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    return reading([&](journal::Reader& reader) { return reader.query(query, events); });
  }
  void query_batch(cape::QueryBatch& batch) {
    reading([&](journal::Reader& reader) { reader.query_batch(batch); });
  }
  // Whoever asks what there is would be told half of it while the tree is compared for the first time.
  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
    if (!watcher_.wait_compared(scan_waits)) {
      const std::string trouble = watcher_.trouble();
      throw cape::Failure(cape::Outcome::retry(
          trouble.empty() ? "the tree is being compared with what was recorded when this process began"
                          : trouble));
    }
    return reading([&](journal::Reader& reader) { return reader.scan(token, subjects_max, subjects); });
  }

 private:
  Files(files::WatcherOptions options, const cape::Host& host)
      : host_(host), ledger_(options.ledger), watcher_(std::move(options), host) {}

  template <class Body>
  std::invoke_result_t<Body, journal::Reader&> reading(Body&& body) {
    if (const std::string trouble = watcher_.trouble(); !trouble.empty())
      throw cape::Failure(cape::Outcome::retry(trouble));
    try {
      if (!reader_) reader_ = std::make_unique<journal::Reader>(ledger_, host_);
      return body(*reader_);
    } catch (...) {
      reader_.reset();  // whatever was wrong with it, the next call opens the file anew
      throw;
    }
  }

  cape::Host host_;
  std::string ledger_;
  std::unique_ptr<journal::Reader> reader_;
  files::Watcher watcher_;
};

}  // namespace

CAPE_SOURCE(Files, "files", "1.0.0", CAPE_WANTS_READ | CAPE_WANTS_STATE)
