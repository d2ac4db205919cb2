#include "file_text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cape/outcome.hpp>
#include <cape/utf8.hpp>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "below.hpp"

namespace search_index {
namespace {

constexpr std::size_t read_bytes = 64 << 10;

[[noreturn]] void fail(std::string_view path, int error) {
  throw cape::Failure(
      cape::Outcome::retry("'" + std::string(path) + "' cannot be read now: " + std::strerror(error)));
}

// At most bytes_max + 1 bytes: one too many says that there are more.
std::string read_all(int file, std::string_view path, std::uint64_t bytes_max) {
  std::string bytes;
  while (bytes.size() <= bytes_max) {
    const std::size_t before = bytes.size();
    bytes.resize(before + std::min<std::uint64_t>(read_bytes, bytes_max + 1 - before));
    const ssize_t got = ::read(file, bytes.data() + before, bytes.size() - before);
    if (got < 0 && errno != EINTR) fail(path, errno);
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
  }
  return bytes;
}

int sixtet(char c) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::string from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const int value = sixtet(c);
    if (value < 0) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if ((held += 6) < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xff);
  }
  return bytes;
}

}  // namespace

FileText read_text(int root, std::string_view path, std::uint64_t bytes_max) {
  const files_below::Fd file = files_below::open_file(root, path);
  if (!file) {
    switch (errno) {
      case ENOENT:
      case ENOTDIR:
      case ELOOP:
      case ENAMETOOLONG:
        return {false, {}, "no file has that name now"};
      case EACCES:
      case EPERM:
        return {false, {}, "it may not be read"};
      default:
        fail(path, errno);
    }
  }
  FileText found{true, read_all(file.get(), path, bytes_max), {}};
  if (found.text.size() > bytes_max)
    return {false, {}, "it is larger than file_bytes_max, " + std::to_string(bytes_max)};
  if (found.text.find('\0') != std::string::npos || !cape::is_utf8(found.text))
    return {false, {}, "it is no text"};
  return found;
}

std::string path_in(std::string_view payload) {
  const nlohmann::json change = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* key) {
    const auto found = change.is_object() ? change.find(key) : change.end();
    return change.is_object() && found != change.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
  };
  std::string path = text("path");
  if (path.empty()) path = from_base64(text("path_base64"));
  if (path.empty())
    throw cape::Failure(cape::Outcome::bad_input(
        "its payload names no path; search_index follows domains whose source is 'files' alone"));
  return path;
}

}  // namespace search_index
