#include "tests/system/tree_maker.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/types.hpp"

namespace cape::test {
namespace {

constexpr std::size_t names = 12, directory_names = 6, depth_max = 4;

}  // namespace

TreeMaker::TreeMaker(fs::path root, std::uint64_t seed) : root_(std::move(root)), random_(seed) {}

// A walk down from the root that stops anywhere.
fs::path TreeMaker::any_directory() {
  fs::path at = root_;
  for (std::size_t depth = 0; depth < depth_max && below(3) != 0; ++depth) {
    std::vector<fs::path> inner;
    std::error_code gone;
    for (fs::directory_iterator entry(at, gone), end; !gone && entry != end; entry.increment(gone))
      if (!entry->is_symlink() && entry->is_directory()) inner.push_back(entry->path());
    if (inner.empty()) break;
    std::sort(inner.begin(), inner.end());  // the same for the same seed
    at = inner[below(inner.size())];
  }
  return at;
}

fs::path TreeMaker::any_name(const fs::path& directory) {
  const std::size_t name = below(names);
  return directory / (name == 0 ? std::string("odd\xff") : "f" + std::to_string(name));
}

std::string TreeMaker::content() {
  const std::size_t kind = below(20);
  if (kind == 0) return std::string("binary\0", 7);
  if (kind == 1) return "not utf-8 \xc3\x28";
  if (kind == 2) return std::string(5'000, 'l');  // over the limit of the test
  std::string text;
  for (std::size_t words = below(12); words > 0; --words) text += "word" + std::to_string(below(500)) + "\n";
  return text;
}

void TreeMaker::write(const fs::path& file) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content();
}

void TreeMaker::change() {
  std::error_code failed;  // what cannot be done now, as a move of a directory into itself, is no change
  const fs::path directory = any_directory();
  const std::size_t what = below(100);
  if (what < 45) return write(any_name(directory));
  if (what < 55) {  // as editors save
    const fs::path draft = directory / ".draft";
    write(draft);
    return fs::rename(draft, any_name(directory), failed);
  }
  if (what < 70) return fs::rename(any_name(directory), any_name(any_directory()), failed);
  if (what < 82) return static_cast<void>(fs::remove(any_name(directory), failed));
  const fs::path inner = directory / ("d" + std::to_string(below(directory_names)));
  if (what < 91) return static_cast<void>(fs::create_directory(inner, failed));
  if (what < 97)
    return fs::rename(inner, any_directory() / ("d" + std::to_string(below(directory_names))), failed);
  if (what < 99) return fs::create_symlink("f1", any_name(directory), failed);
  fs::remove_all(inner, failed);
}

std::map<std::string, std::string> texts_in(const fs::path& root, std::size_t bytes_max) {
  std::map<std::string, std::string> texts;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_symlink() || !entry.is_regular_file()) continue;
    std::stringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    const std::string text = bytes.str();
    if (text.size() > bytes_max || text.find('\0') != std::string::npos || !is_utf8(text)) continue;
    texts[entry.path().lexically_relative(root).string()] = text;
  }
  return texts;
}

}  // namespace cape::test
