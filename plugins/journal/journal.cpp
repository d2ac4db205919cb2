// The event source `journal`: a domain's SQLite journal, read in a sandbox that shows its directory
// read-only.
//
//   config = { dir = "/abs/dir" }    the directory that holds events.db; the broker gives the domain's own
//
// The file is opened by the first call and after every error, so that one that does not exist yet, or that is
// being repaired, is a reason to try again and not a failed start.
#include <cape/source.hpp>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "reader.hpp"

namespace {

class Journal {
 public:
  Journal(const cape::Config& config, const cape::Host& host)
      : host_(host), path_(config.require<std::string>("dir") + "/events.db") {
    if (path_.front() != '/') throw cape::ConfigError("config key 'dir' must be an absolute path");
  }

  std::optional<std::int64_t> latest(std::string_view subject) {
    return reading([&](journal::Reader& reader) { return reader.latest(subject); });
  }
  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events) {
    return reading([&](journal::Reader& reader) { return reader.query(query, events); });
  }
  void query_batch(cape::QueryBatch& batch) {
    reading([&](journal::Reader& reader) { reader.query_batch(batch); });
  }
  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects) {
    return reading([&](journal::Reader& reader) { return reader.scan(token, subjects_max, subjects); });
  }

 private:
  template <class Body>
  std::invoke_result_t<Body, journal::Reader&> reading(Body&& body) {
    try {
      if (!reader_) reader_ = std::make_unique<journal::Reader>(path_, host_);
      return body(*reader_);
    } catch (...) {
      reader_.reset();  // whatever was wrong with it, the next call opens the file anew
      throw;
    }
  }

  cape::Host host_;
  std::string path_;
  std::unique_ptr<journal::Reader> reader_;
};

}  // namespace

CAPE_SOURCE(Journal, "journal", "1.0.0", CAPE_WANTS_READ)
