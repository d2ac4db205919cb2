#include "host/worker/kept_versions.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "core/log.hpp"

namespace cape::host {
namespace {

constexpr std::size_t slice_bytes = 1u << 20;
constexpr const char* part_name = ".part";  // no plugin file: intake opens no dot file

}  // namespace

void KeptVersions::keep(const std::vector<std::string>& hashes,
                        const std::vector<child::PluginImagePtr>& images) {
  end(false);
  wanted_.clear();
  std::error_code error;
  for (const child::PluginImagePtr& image : images)
    if (!fs::exists(file_of(image->hash), error)) wanted_.push_back(image);
  remove_others(hashes);
}

void KeptVersions::remove_others(const std::vector<std::string>& hashes) {
  std::error_code error;
  std::vector<fs::path> others;
  for (fs::directory_iterator at(dir_, error), end; !error && at != end; at.increment(error)) {
    const bool kept =
        std::ranges::any_of(hashes, [&](const std::string& hash) { return at->path() == file_of(hash); });
    if (!kept) others.push_back(at->path());
  }
  for (const fs::path& other : others) fs::remove(other, error);  // one that stays costs its room alone
}

bool KeptVersions::begin() {
  std::error_code error;
  fs::create_directories(dir_, error);
  out_ = UniqueFd{::open((dir_ / part_name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  at_ = 0;
  if (!out_) fail("open");
  return static_cast<bool>(out_);
}

void KeptVersions::step() {
  if (wanted_.empty() || (!out_ && !begin())) return;
  const child::PluginImage& image = *wanted_.front();
  auto from = static_cast<off_t>(at_);
  const ssize_t copied = ::sendfile(out_.get(), image.memfd.get(), &from, slice_bytes);
  if (copied < 0 && errno == EINTR) return;
  if (copied <= 0) return fail("write");
  at_ += static_cast<std::uint64_t>(copied);
  if (at_ >= image.bytes) end(true);
}

void KeptVersions::end(bool is_whole) {
  if (!out_) return;
  out_.reset();
  if (!is_whole) return;
  std::error_code error;
  fs::rename(dir_ / part_name, file_of(wanted_.front()->hash), error);
  if (error) {
    errno = error.value();
    return fail("rename");
  }
  wanted_.pop_front();
}

// It serves on from memory; a start of this host may lack it.
void KeptVersions::fail(const char* what) {
  std::string trouble =
      fmt::format("version {} of plugin '{}' is not kept in {}: {}: {}", wanted_.front()->version,
                  wanted_.front()->id, dir_.string(), what, std::strerror(errno));
  if (trouble != told_)
    log::warning("host", "{}; if its file is replaced, this host lacks it after its next start", trouble);
  told_ = std::move(trouble);
  out_.reset();
  wanted_.pop_front();
}

}  // namespace cape::host
