#include "core/types.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace cape {
namespace {

// Length of the UTF-8 sequence that starts `text`, 0 if it is malformed (overlong, surrogate, cut, stray).
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  if (!tail(1)) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) {
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
    return tail(2) ? 3 : 0;
  }
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return tail(2) && tail(3) ? 4 : 0;
}

struct KindName {
  OutcomeKind kind;
  const char* name;
};

constexpr std::array kind_names{
    KindName{OutcomeKind::ok, "OK"},
    KindName{OutcomeKind::skipped, "SKIPPED"},
    KindName{OutcomeKind::retry, "RETRY"},
    KindName{OutcomeKind::not_found, "NOT_FOUND"},
    KindName{OutcomeKind::failed, "FAILED"},
    KindName{OutcomeKind::bad_input, "BAD_INPUT"},
    KindName{OutcomeKind::bad_config, "BAD_CONFIG"},
    KindName{OutcomeKind::unsupported, "UNSUPPORTED"},
    KindName{OutcomeKind::cancelled, "CANCELLED"},
    KindName{OutcomeKind::no_memory, "NO_MEMORY"},
    KindName{OutcomeKind::limit, "LIMIT"},
    KindName{OutcomeKind::internal, "INTERNAL"},
    KindName{OutcomeKind::signaled, "SIGNALED"},
    KindName{OutcomeKind::hung, "HUNG"},
    KindName{OutcomeKind::violation, "VIOLATION"},
    KindName{OutcomeKind::oom, "OOM"},
    KindName{OutcomeKind::exited, "EXITED"},
    KindName{OutcomeKind::protocol, "PROTOCOL"},
    KindName{OutcomeKind::setup, "SETUP"},
    KindName{OutcomeKind::external_kill, "EXTERNAL_KILL"},
};

// Whole characters of `text` that leave room for the dots.
std::string with_dots(std::string text, std::size_t bytes_max) {
  while (!text.empty() && text.size() + 3 > bytes_max) {
    std::size_t cut = text.size() - 1;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0u) == 0x80u) --cut;
    text.resize(cut);
  }
  return text += bytes_max >= 3 ? "..." : "";
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string_view subject_mistake(std::string_view subject) {
  if (subject.empty()) return "the subject is empty; it takes 1 to 255 bytes";
  if (subject.size() > subject_bytes_max) return "the subject is longer than 255 bytes";
  if (subject.find('\0') != std::string_view::npos) return "the subject holds a NUL byte";
  if (!is_utf8(subject)) return "the subject is not UTF-8";
  return {};
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 63 || text[0] < 'a' || text[0] > 'z') return false;
  return std::ranges::all_of(
      text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

namespace {

// Characters without a shape that change how what stands around them is shown: line and paragraph separators,
// marks of the writing direction, the byte order mark.
bool reshapes(std::string_view character) {
  constexpr std::string_view marks[] = {"\u061C", "\u180E", "\u200E", "\u200F", "\u2028", "\u2029",
                                        "\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066",
                                        "\u2067", "\u2068", "\u2069", "\uFEFF"};
  return character.size() > 1 && std::ranges::find(marks, character) != std::end(marks);
}

}  // namespace

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    // C1 controls (U+0080..U+009F) start terminal sequences too.
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    const bool plain =
        length > 0 && first >= 0x20 && first != 0x7F && !c1 && !reshapes(text.substr(0, length));
    char escaped[8];
    std::string_view piece = text.substr(0, length);
    if (!plain) {
      std::snprintf(escaped, sizeof escaped, "\\x%02X", first);
      piece = escaped;
    }
    if (out.size() + piece.size() > bytes_max) {
      return with_dots(std::move(out), bytes_max);
    }
    out += piece;
    text.remove_prefix(plain ? length : 1);
  }
  return out;
}

std::string shortened(std::string text, std::size_t bytes_max) {
  return text.size() <= bytes_max ? text : with_dots(std::move(text), bytes_max);
}

const char* name_of(OutcomeKind kind) {
  for (const KindName& entry : kind_names)
    if (entry.kind == kind) return entry.name;
  return "UNKNOWN";
}

OutcomeKind outcome_of_plugin_status(std::int32_t status) {
  switch (const auto kind = static_cast<OutcomeKind>(status)) {
    case OutcomeKind::ok:
    case OutcomeKind::skipped:
    case OutcomeKind::retry:
    case OutcomeKind::failed:
    case OutcomeKind::bad_input:
    case OutcomeKind::cancelled:
    case OutcomeKind::no_memory:
    case OutcomeKind::limit:
    case OutcomeKind::internal:
      return kind;
    default:
      return OutcomeKind::failed;
  }
}

FailureClass failure_class(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::ok:
    case OutcomeKind::skipped:
      return FailureClass::done;
    case OutcomeKind::retry:
    case OutcomeKind::internal:
    case OutcomeKind::no_memory:
    case OutcomeKind::signaled:
    case OutcomeKind::hung:
    case OutcomeKind::oom:
    case OutcomeKind::exited:
    case OutcomeKind::protocol:
    case OutcomeKind::violation:
      return FailureClass::attempt;
    case OutcomeKind::setup:
    case OutcomeKind::cancelled:
    case OutcomeKind::external_kill:
      return FailureClass::no_attempt;
    default:
      return FailureClass::park;
  }
}

}  // namespace cape
