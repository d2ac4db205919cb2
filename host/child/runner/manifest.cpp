#include "host/child/runner/manifest.hpp"

#include <cape/plugin.h>
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace cape::child {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t notes_bytes_max = 1u << 20;
constexpr char note_name[] = "CAPE";  // 5 bytes with its NUL, as in the note
#if defined(__x86_64__)
constexpr std::uint16_t this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t this_machine = EM_AARCH64;
#endif

std::unexpected<Error> invalid(std::string what) {
  return fail(ErrorCode::invalid, std::move(what));
}

std::optional<Bytes> part(Bytes file, std::uint64_t offset, std::uint64_t bytes) {
  if (offset > file.size() || bytes > file.size() - offset) return std::nullopt;
  return file.subspan(offset, bytes);
}

template <class T>
bool read_at(Bytes file, std::uint64_t offset, T& out) {
  const std::optional<Bytes> bytes = part(file, offset, sizeof out);
  if (bytes) std::memcpy(&out, bytes->data(), sizeof out);
  return bytes.has_value();
}

Result<Elf64_Ehdr> read_elf_header(Bytes file) {
  Elf64_Ehdr header;
  if (!read_at(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return invalid("it is not an ELF file; build it as a shared library");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return invalid("it is not a 64-bit little-endian ELF file");
  if (header.e_machine != this_machine)
    return invalid("it is built for another machine (ELF machine " + std::to_string(header.e_machine) + ")");
  if (header.e_type != ET_DYN)
    return invalid("it is not a shared library (ELF type " + std::to_string(header.e_type) + ")");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0)
    return invalid("its program headers are malformed");
  return header;
}

std::uint64_t aligned(std::uint64_t bytes, std::uint64_t to) {
  return (bytes + to - 1) / to * to;
}

// Adds to `found` every note of ours in one PT_NOTE segment. Sizes are 32-bit, so no sum can overflow.
Result<void> find_notes(Bytes segment, std::uint64_t align, std::vector<Bytes>& found) {
  std::uint64_t at = 0;
  while (segment.size() - at >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    read_at(segment, at, note);
    const std::uint64_t name_at = at + sizeof note;
    const std::uint64_t body_at = name_at + aligned(note.n_namesz, align);
    const auto name = part(segment, name_at, note.n_namesz);
    const auto body = part(segment, body_at, note.n_descsz);
    if (!name || !body) return invalid("its notes are malformed: one reaches past its segment");
    const bool ours =
        name->size() == sizeof note_name && std::memcmp(name->data(), note_name, sizeof note_name) == 0;
    if (ours && note.n_type == CAPE_NOTE_TYPE) found.push_back(*body);
    at = std::min<std::uint64_t>(body_at + aligned(note.n_descsz, align), segment.size());
  }
  return {};
}

Result<std::vector<Bytes>> find_manifests(Bytes file, const Elf64_Ehdr& header) {
  std::vector<Bytes> found;
  for (std::uint32_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (header.e_phoff > file.size() || !read_at(file, header.e_phoff + i * sizeof segment, segment))
      return invalid("its program headers are cut off");
    const auto bytes = part(file, segment.p_offset, segment.p_filesz);
    if (segment.p_type == PT_LOAD && !bytes) return invalid("it is cut off: a segment reaches past its end");
    if (segment.p_type != PT_NOTE) continue;
    if (!bytes || bytes->size() > notes_bytes_max) return invalid("its notes are cut off or too large");
    if (Result<void> good = find_notes(*bytes, segment.p_align == 8 ? 8 : 4, found); !good)
      return std::unexpected(good.error());
  }
  return found;
}

// The text of a NUL-padded field; nullopt: no NUL, or something behind it.
template <std::size_t n>
std::optional<std::string> padded_text(const char (&field)[n]) {
  const std::size_t length = strnlen(field, n);
  if (length == n || std::any_of(field + length, field + n, [](char c) { return c != '\0'; }))
    return std::nullopt;
  return std::string(field, length);
}

std::string version_text(std::uint16_t major, std::uint16_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

Result<void> check_abi(const cape_note& note, const std::string& plugin) {
  if (note.abi_min_minor > note.abi_minor)
    return invalid("the manifest of " + plugin + " needs a newer ABI minor than it was built with");
  if (note.abi_major == CAPE_ABI_MAJOR && note.abi_min_minor <= CAPE_ABI_MINOR) return {};
  std::string text = plugin + " needs ABI " + version_text(note.abi_major, note.abi_min_minor) +
                     ", this host offers " + version_text(CAPE_ABI_MAJOR, CAPE_ABI_MINOR) + ": upgrade Cape";
  text += note.abi_major == CAPE_ABI_MAJOR
              ? " or rebuild with CAPE_ABI_MIN_MINOR=" + std::to_string(CAPE_ABI_MINOR)
              : " or rebuild with its cape/plugin.h";
  return fail(ErrorCode::conflict, text);
}

Result<ManifestReport> check_note(Bytes body) {
  cape_note note;
  if (body.size() != sizeof note || !read_at(body, 0, note) || note.note_size != sizeof note)
    return invalid("its manifest has the wrong size; write it with CAPE_MANIFEST");
  const std::optional<std::string> id = padded_text(note.id);
  const std::optional<std::string> version = padded_text(note.version);
  if (!id || !is_name(*id))
    return invalid("the id in its manifest is not [a-z][a-z0-9_]* of at most 63 bytes");
  const std::string plugin = "plugin '" + *id + "'";
  if (!version || version->empty() || printable(*version, sizeof note.version) != *version)
    return invalid("the version in the manifest of " + plugin + " is empty or not printable");
  if (Result<void> good = check_abi(note, plugin + " " + *version); !good)
    return std::unexpected(good.error());
  const bool reserved =
      note.reserved0 != 0 || std::ranges::any_of(note.reserved1, [](auto r) { return r != 0; });
  constexpr std::uint32_t all_kinds = CAPE_KIND_LAMBDA | CAPE_KIND_SOURCE;
  constexpr std::uint32_t all_wants =
      CAPE_WANTS_STATE | CAPE_WANTS_READ | CAPE_WANTS_WRITE | CAPE_WANTS_NETWORK;
  if (reserved || (note.kinds & ~all_kinds) != 0 || (note.wants & ~all_wants) != 0)
    return invalid("the manifest of " + plugin + " has bits set that ABI 1 reserves");
  if (note.kinds == 0) return invalid("the manifest of " + plugin + " names no kind: lambda or source");
  ManifestReport report;
  report.id = *id;
  report.version = *version;
  report.kinds = note.kinds;
  report.wants = note.wants;
  report.abi_major = note.abi_major;
  report.abi_minor = note.abi_minor;
  report.abi_min_minor = note.abi_min_minor;
  return report;
}

}  // namespace

Result<ManifestReport> parse_manifest(std::span<const std::uint8_t> file) {
  const Result<Elf64_Ehdr> header = read_elf_header(file);
  if (!header) return std::unexpected(header.error());
  const Result<std::vector<Bytes>> found = find_manifests(file, *header);
  if (!found) return std::unexpected(found.error());
  if (found->empty())
    return invalid("it has no manifest; add CAPE_MANIFEST(...) or CAPE_LAMBDA(...) to one source file");
  if (found->size() > 1)
    return invalid("it has " + std::to_string(found->size()) + " manifests; one file is one plugin");
  return check_note(found->front());
}

}  // namespace cape::child
