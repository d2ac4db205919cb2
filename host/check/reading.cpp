#include "host/check/reading.hpp"

#include <sys/mman.h>

#include <cstring>
#include <functional>
#include <utility>

#include "core/types.hpp"
#include "host/check/confined.hpp"
#include "host/child/elf_check.hpp"
#include "host/child/frames.hpp"
#include "host/child/inspector.hpp"
#include "host/child/runner/elf_file.hpp"
#include "host/child/runner/manifest.hpp"

namespace cape::check {
namespace {

Confined ask(const std::function<std::string()>& read, bool in_process) {
  return in_process ? Confined{Verdict::pass, read()} : run_confined(read);
}

std::string encode(const Finding& finding) {
  return static_cast<char>(finding.verdict) + finding.text;
}

Finding decode(Confined answer) {
  if (answer.verdict != Verdict::pass) return {answer.verdict, std::move(answer.text)};
  const auto verdict = answer.text.empty() ? 0xFF : static_cast<std::uint8_t>(answer.text[0]);
  if (verdict > static_cast<std::uint8_t>(Verdict::timeout))
    return {Verdict::crashed, "its reader gave an answer that is none"};
  return {static_cast<Verdict>(verdict),
          printable(std::string_view(answer.text).substr(1), reason_bytes_max)};
}

// Of a manifest that was read; the id and the version follow.
struct NoteFrame {
  std::uint32_t kinds, wants;
  std::uint16_t abi_major, abi_minor, abi_min_minor, id_bytes;
};

enum class NoteAnswer : char { right, wrong, of_another_abi };

std::string encode(const Result<child::ManifestReport>& read) {
  if (!read) {
    const bool other = read.error().code == ErrorCode::conflict;
    return static_cast<char>(other ? NoteAnswer::of_another_abi : NoteAnswer::wrong) + read.error().message;
  }
  const NoteFrame frame{.kinds = read->kinds,
                        .wants = read->wants,
                        .abi_major = read->abi_major,
                        .abi_minor = read->abi_minor,
                        .abi_min_minor = read->abi_min_minor,
                        .id_bytes = static_cast<std::uint16_t>(read->id.size())};
  std::string text(1, static_cast<char>(NoteAnswer::right));
  text.append(reinterpret_cast<const char*>(&frame), sizeof frame);
  return text + read->id + read->version;
}

bool decode(std::string_view text, child::ManifestReport& manifest) {
  child::BodyReader reader({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  NoteFrame frame{};
  std::string_view id, version;
  if (!reader.read(frame) || !reader.read_text(frame.id_bytes, id) ||
      !reader.read_text(reader.rest().size(), version))
    return false;
  manifest.id = id;
  manifest.version = version;
  manifest.kinds = frame.kinds;
  manifest.wants = frame.wants;
  manifest.abi_major = frame.abi_major;
  manifest.abi_minor = frame.abi_minor;
  manifest.abi_min_minor = frame.abi_min_minor;
  return child::manifest_mistake(manifest).empty();
}

}  // namespace

MappedImage::MappedImage(const child::PluginImage& image) {
  void* at = ::mmap(nullptr, image.bytes, PROT_READ, MAP_PRIVATE, image.memfd.get(), 0);
  if (at != MAP_FAILED) bytes_ = {static_cast<const std::uint8_t*>(at), image.bytes};
}

MappedImage::~MappedImage() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

Finding read_form(const child::PluginImage& image, std::span<const std::uint8_t> bytes, bool in_process) {
  return decode(ask(
      [&] {
        std::string mistake = child::elf_mistake(image.memfd.get(), image.bytes);
        if (!mistake.empty()) return encode(Finding{Verdict::fail, std::move(mistake)});
        const Result<child::ElfFile> elf = child::read_elf(bytes);
        return encode(elf ? Finding{} : Finding{Verdict::fail, elf.error().message});
      },
      in_process));
}

NoteRead read_note(std::span<const std::uint8_t> bytes, bool in_process) {
  NoteRead read;
  Confined answer = ask([&] { return encode(child::parse_manifest(bytes)); }, in_process);
  if (answer.verdict != Verdict::pass) {
    read.note = {answer.verdict, std::move(answer.text)};
    return read;
  }
  const std::string_view text = answer.text;
  const auto kind = text.empty() ? NoteAnswer::wrong : static_cast<NoteAnswer>(text[0]);
  if (kind == NoteAnswer::right && decode(text.substr(1), read.manifest)) return read;
  Finding bad{Verdict::fail, text.size() < 2 || kind == NoteAnswer::right
                                 ? "its reader gave an answer that is none"
                                 : printable(text.substr(1), reason_bytes_max)};
  read.manifest = {};
  (kind == NoteAnswer::of_another_abi ? read.abi : read.note) = std::move(bad);
  return read;
}

Finding read_check(const Check& check, const Bench& bench) {
  return decode(ask([&] { return encode(check.run(bench)); }, bench.in_process));
}

}  // namespace cape::check
