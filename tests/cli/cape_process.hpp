// tests/cli/cape_process.hpp
// Runs the built `cape` as a person would, in a directory of its own that goes with the test.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cape::cli {

namespace fs = std::filesystem;

struct Ran {
  int exit = -1;    // 128 + signal when it was killed
  std::string out;  // stdout
  std::string err;  // stderr
};

class CapeProcess {
 public:
  CapeProcess();  // a new directory; $CAPE_CONFIG is not set
  ~CapeProcess();
  CapeProcess(const CapeProcess&) = delete;
  CapeProcess& operator=(const CapeProcess&) = delete;

  const fs::path& directory() const { return directory_; }
  fs::path write(const std::string& name, std::string_view text) const;  // a file in the directory
  void set(const std::string& variable, const std::string& value) { environment_[variable] = value; }

  // `cape ARGUMENTS...` in the directory, with `input` as its stdin.
  Ran run(const std::vector<std::string>& arguments, std::string_view input = {}) const;

 private:
  fs::path directory_;
  std::map<std::string, std::string> environment_;
};

// All values of a query, row by row, as text; an empty list when the database or the query is bad.
std::vector<std::vector<std::string>> query(const fs::path& database, const std::string& sql);

// A config with domain `history` (source journal), domain `foreign` (another source) and topology `audit`.
extern const char* const small_config;

}  // namespace cape::cli
