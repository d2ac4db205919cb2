// tests/system/tree_maker.hpp
// TreeMaker changes a directory tree at random, by seed, as people and programs do: files are created,
// written, replaced by rename, renamed, deleted; directories made, moved into each other, deleted with all
// that is in them. And it reads a tree the way the search index is meant to.
#pragma once

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace cape::test {

namespace fs = std::filesystem;

class TreeMaker {
 public:
  TreeMaker(fs::path root, std::uint64_t seed);

  void change();  // one operation

 private:
  fs::path any_directory();
  fs::path any_name(const fs::path& directory);  // there or not
  void write(const fs::path& file);
  std::string content();
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  fs::path root_;
  std::mt19937_64 random_;
};

// What an index of `root` holds: path and text of every regular file that is UTF-8 without NUL and at most
// `bytes_max` long.
std::map<std::string, std::string> texts_in(const fs::path& root, std::size_t bytes_max);

}  // namespace cape::test
