// plugins/audit_log/day_file.hpp
// DayFile is one append-only file of whole lines. Whatever happens, to this process or to the disk, a line in
// it is complete or is cut away before the next one is added. Trouble leaves as cape::Failure with RETRY. One
// writer at a time (the plugin does not declare that it shares state). Thread: one.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace audit_log {

// "2024-05-17.jsonl": the UTC day that `seconds` since 1970 lies in.
std::string day_name(std::time_t seconds);

class DayFile {
 public:
  DayFile() = default;
  // Opens `path` and cuts an incomplete last line. create: it is made if need be; else a missing file leaves
  // this closed.
  DayFile(std::string path, bool create);
  DayFile(DayFile&& other) noexcept;
  DayFile& operator=(DayFile&& other) noexcept;
  ~DayFile();

  bool is_open() const { return fd_ >= 0; }
  // Open, and still the file that its path names: not deleted or moved away since.
  bool is_current() const;
  const std::string& path() const { return path_; }
  std::uint64_t bytes_cut() const { return bytes_cut_; }

  // Adds whole lines with one write. On an error nothing of them stays in the file.
  void append(std::string_view lines);
  // Data and, after the file was opened, its directory entry are on disk when it returns.
  void sync();

 private:
  std::uint64_t size() const;
  void cut_incomplete_line();
  void write_all(std::string_view lines);
  void sync_directory() const;
  [[noreturn]] void fail(const char* doing) const;
  void close() noexcept;

  std::string path_;
  int fd_ = -1;
  bool directory_synced_ = false;
  std::uint64_t bytes_cut_ = 0;
};

}  // namespace audit_log
