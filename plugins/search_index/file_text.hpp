// plugins/search_index/file_text.hpp
// What is indexed of a file: its text, if it is text. Told by its bytes, not by its name. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace search_index {

struct FileText {
  bool is_text = false;
  std::string text;
  std::string why_not;  // for a person
};

// The regular file `path` below `root` as it is now. Text: valid UTF-8 without NUL, at most `bytes_max` long.
// Throws cape::Failure with RETRY if it cannot be told now.
FileText read_text(int root, std::string_view path, std::uint64_t bytes_max);

// The path in the payload of an event of the source `files`. Throws cape::Failure with BAD_INPUT.
std::string path_in(std::string_view payload);

}  // namespace search_index
