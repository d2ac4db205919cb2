#include "host/child/runner/elf_file.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace cape::child {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t entries_max = 1u << 20;  // of any table; the largest library has a tenth of it
constexpr std::size_t name_bytes_max = 4096;

template <class T>
std::optional<T> read_at(Bytes file, std::uint64_t offset) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::unexpected<Error> outside(const char* what) {
  return fail(ErrorCode::invalid, std::string(what) + " reaches past the end of the file");
}

class Reader {
 public:
  explicit Reader(Bytes file) : file_(file) {}

  Result<ElfFile> read() {
    if (Result<void> done = read_segments(); !done) return std::unexpected(done.error());
    if (Result<void> done = read_dynamic(); !done) return std::unexpected(done.error());
    read_symbols();
    read_versions();
    return std::move(out_);
  }

 private:
  Result<void> read_segments() {
    const auto header = read_at<Elf64_Ehdr>(file_, 0);
    if (!header) return outside("its header");
    for (std::uint64_t i = 0; i < header->e_phnum; ++i) {
      const auto segment = read_at<Elf64_Phdr>(file_, header->e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return outside("its program header table");
      take_segment(*segment);
    }
    return {};
  }

  void take_segment(const Elf64_Phdr& segment) {
    const bool writable = (segment.p_flags & PF_W) != 0, executable = (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_LOAD) loads_.push_back(segment);
    if (segment.p_type == PT_LOAD && writable && executable) out_.writable_code = true;
    if (segment.p_type == PT_DYNAMIC) dynamic_ = segment;
    if (segment.p_type == PT_GNU_RELRO) out_.relro = true;
    if (segment.p_type == PT_TLS) out_.tls_bytes = segment.p_memsz;
    if (segment.p_type == PT_GNU_STACK) out_.has_stack_note = true, out_.executable_stack = executable;
  }

  // Where an address lies in the file.
  std::optional<std::uint64_t> place_of(std::uint64_t address) const {
    for (const Elf64_Phdr& load : loads_)
      if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz)
        return load.p_offset + (address - load.p_vaddr);
    return std::nullopt;
  }

  std::string text_at(std::uint64_t offset) const {
    if (!strings_ || offset > strings_bytes_) return {};
    const std::uint64_t at = *strings_ + offset;
    if (at >= file_.size()) return {};
    const auto* from = reinterpret_cast<const char*>(file_.data() + at);
    return {from, strnlen(from, std::min<std::size_t>(file_.size() - at, name_bytes_max))};
  }

  Result<void> read_dynamic() {
    std::vector<Elf64_Dyn> entries;
    for (std::uint64_t i = 0; i < dynamic_.p_filesz / sizeof(Elf64_Dyn) && i < entries_max; ++i) {
      const auto entry = read_at<Elf64_Dyn>(file_, dynamic_.p_offset + i * sizeof(Elf64_Dyn));
      if (!entry) return outside("its dynamic section");
      if (entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_STRTAB) strings_ = place_of(entry->d_un.d_ptr);
      if (entry->d_tag == DT_STRSZ) strings_bytes_ = entry->d_un.d_val;
      entries.push_back(*entry);
    }
    for (const Elf64_Dyn& entry : entries) take_entry(entry);
    return {};
  }

  void take_entry(const Elf64_Dyn& entry) {
    const std::uint64_t value = entry.d_un.d_val;
    switch (entry.d_tag) {
      case DT_NEEDED:
        return out_.needed.push_back(text_at(value));
      case DT_RPATH:
      case DT_RUNPATH:
        out_.run_path += (out_.run_path.empty() ? "" : ":") + text_at(value);
        return;
      case DT_TEXTREL:
        out_.text_relocations = true;
        return;
      case DT_FLAGS:
        out_.text_relocations |= (value & DF_TEXTREL) != 0;
        out_.static_tls |= (value & DF_STATIC_TLS) != 0;
        return;
      case DT_INIT_ARRAYSZ:
        out_.constructors = value / sizeof(std::uint64_t);
        return;
      case DT_SYMTAB:
        symbols_ = place_of(value);
        return;
      case DT_GNU_HASH:
        gnu_hash_ = place_of(value);
        return;
      case DT_HASH:
        hash_ = place_of(value);
        return;
      case DT_VERNEED:
        versions_ = place_of(value);
        return;
      case DT_VERNEEDNUM:
        versions_count_ = value;
        return;
      default:
        return;
    }
  }

  // The dynamic symbol table has no length of its own: a hash table tells it.
  std::uint64_t symbols_count() const {
    if (hash_) return read_at<std::uint32_t>(file_, *hash_ + 4).value_or(0);
    if (!gnu_hash_) return 0;
    const std::uint64_t at = *gnu_hash_;
    const auto buckets = read_at<std::uint32_t>(file_, at), first = read_at<std::uint32_t>(file_, at + 4),
               words = read_at<std::uint32_t>(file_, at + 8);
    if (!buckets || !first || !words || *buckets > entries_max) return 0;
    const std::uint64_t bucket_at = at + 16 + std::uint64_t{*words} * 8;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < *buckets; ++i)
      last = std::max<std::uint64_t>(last, read_at<std::uint32_t>(file_, bucket_at + i * 4).value_or(0));
    if (last < *first) return *first;
    const std::uint64_t chain_at = bucket_at + std::uint64_t{*buckets} * 4;
    for (; last - *first < entries_max; ++last) {
      const auto link = read_at<std::uint32_t>(file_, chain_at + (last - *first) * 4);
      if (!link) return 0;
      if ((*link & 1u) != 0) break;
    }
    return last + 1;
  }

  void read_symbols() {
    if (!symbols_) return;
    const std::uint64_t count = std::min(symbols_count(), entries_max);
    for (std::uint64_t i = 1; i < count; ++i) {
      const auto symbol = read_at<Elf64_Sym>(file_, *symbols_ + i * sizeof(Elf64_Sym));
      if (!symbol) return;
      if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL) continue;
      const std::string name = text_at(symbol->st_name);
      if (symbol->st_shndx == SHN_UNDEF) {
        if (ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL) out_.undefined.push_back(name);
        continue;
      }
      if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC) out_.resolvers.push_back(name);
      out_.exported.push_back(name);
    }
  }

  void read_versions() {
    if (!versions_) return;
    std::uint64_t at = *versions_;
    for (std::uint64_t i = 0; i < versions_count_ && i < entries_max; ++i) {
      const auto library = read_at<Elf64_Verneed>(file_, at);
      if (!library) return;
      std::uint64_t version_at = at + library->vn_aux;
      for (std::uint16_t k = 0; k < library->vn_cnt; ++k) {
        const auto version = read_at<Elf64_Vernaux>(file_, version_at);
        if (!version) return;
        out_.versions.push_back(text_at(version->vna_name));
        if (version->vna_next == 0) break;
        version_at += version->vna_next;
      }
      if (library->vn_next == 0) return;
      at += library->vn_next;
    }
  }

  Bytes file_;
  ElfFile out_;
  std::vector<Elf64_Phdr> loads_;
  Elf64_Phdr dynamic_{};
  std::optional<std::uint64_t> strings_, symbols_, hash_, gnu_hash_, versions_;
  std::uint64_t strings_bytes_ = 0, versions_count_ = 0;
};

}  // namespace

Result<ElfFile> read_elf(Bytes file) {
  return Reader(file).read();
}

}  // namespace cape::child
