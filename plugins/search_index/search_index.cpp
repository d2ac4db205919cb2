// The lambda `search_index`: a full-text index over the files that a domain of the source `files` tells
// about, for `cape search`.
//
//   grant  = { read = ["tree"], state = true }     both needed
//   config = {
//     root = "tree"                  as in the domain's config
//     file_bytes_max = 1048576       larger files are not indexed
//   }
//
// All events of one path are of one subject, its directory, and so come in order: the last one says whether
// the file is there. What is in it is read now, so events may come twice or late: a file that changes after
// it was read has a later event. So the index ends equal to one built from scratch. What an event says is
// gone is taken out without a look: what lies there at this moment may be gone again before the source has
// seen it. A batch is one transaction, committed before any of its events counts as done.
#include <fcntl.h>
#include <sys/stat.h>

#include <cape/lambda.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "fd.hpp"
#include "file_text.hpp"
#include "index.hpp"

namespace {

class SearchIndex {
 public:
  SearchIndex(const cape::Config& config, const cape::Host& host)
      : host_(host),
        root_path_(config.require<std::string>("root")),
        bytes_max_(config.get<std::uint64_t>("file_bytes_max", 1u << 20)),
        index_path_(std::string(host.state_dir()) + "/index.db") {
    if (host.state_dir().empty())
      throw cape::ConfigError(
          "search_index has no directory for its index: set grant = { read = [ROOT], state = true } on this "
          "lambda");
    if (bytes_max_ > bytes_max_limit)
      throw cape::ConfigError("config key 'file_bytes_max' must be at most " +
                              std::to_string(bytes_max_limit));
    root_ = files_below::Fd(::open(root_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root_)
      throw cape::ConfigError("config key 'root': '" + root_path_ + "' cannot be opened (" +
                              std::strerror(errno) + "); create it and grant read on it");
  }

  cape::Outcome operator()(const cape::Event& event) {
    if (trouble_) return trouble_->outcome();
    if (root_is_removed()) end_child();
    const std::string path = search_index::path_in(event.payload());
    const search_index::FileText file = says_gone(event.type())
                                            ? search_index::FileText{false, {}, "it was not in the index"}
                                            : search_index::read_text(root_.get(), path, bytes_max_);
    return changing([&](search_index::Index& index) {
      if (file.is_text) {
        index.put(path, file.text);
        return cape::Outcome::ok();
      }
      return index.remove(path) ? cape::Outcome::ok() : cape::Outcome::skipped(file.why_not);
    });
  }

  void flush(cape::Call&) {
    const std::optional<cape::Failure> trouble = std::exchange(trouble_, std::nullopt);
    if (trouble) throw *trouble;
    if (index_)
      (void)changing([](search_index::Index& index) { return index.commit(), cape::Outcome::ok(); });
    if (const auto failed = std::exchange(trouble_, std::nullopt)) throw *failed;
  }

 private:
  bool root_is_removed() const {
    struct stat at = {};
    return ::fstat(root_.get(), &at) == 0 && at.st_nlink == 0;
  }

  // What we were granted is a removed directory, in which nothing will ever be found again, whatever lies at
  // its path now. The next child is given what lies there then, and this event runs there.
  [[noreturn]] void end_child() {
    host_.log(CAPE_LOG_WARNING, "search_index: the root '" + root_path_ +
                                    "' was removed; the events since then run when it is there again");
    if (index_) index_->roll_back();
    std::_Exit(EXIT_FAILURE);
  }

  static bool says_gone(std::string_view type) {
    return type == "deleted" || type == "renamed_from" || type == "dir_deleted" || type == "dir_renamed_from";
  }

  static constexpr std::uint64_t bytes_max_limit = 64u << 20;

  // An error takes the whole transaction with it, also what earlier events of the batch did: they must fail,
  // too.
  template <class Body>
  cape::Outcome changing(Body&& body) {
    try {
      if (!index_) index_.emplace(index_path_);
      return body(*index_);
    } catch (const cape::Failure& failure) {
      if (index_) index_->roll_back();
      index_.reset();
      trouble_ = failure;
      return failure.outcome();
    }
  }

  cape::Host host_;
  std::string root_path_;
  std::uint64_t bytes_max_;
  std::string index_path_;
  files_below::Fd root_;
  std::optional<search_index::Index> index_;
  std::optional<cape::Failure> trouble_;
};

}  // namespace

CAPE_LAMBDA(SearchIndex, "search_index", "1.0.0", CAPE_WANTS_READ | CAPE_WANTS_STATE)
