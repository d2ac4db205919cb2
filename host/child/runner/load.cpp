#include "host/child/runner/load.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>  // Boost.DLL 1.74 uses it without including it

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include "core/types.hpp"
#include "core/unique_fd.hpp"
#include "host/child/runner/file_checks.hpp"
#include "host/child/runner/manifest.hpp"

namespace cape::child {
namespace {

constexpr std::uint32_t table_bytes_max = 4096;  // no table of ABI 1 will grow to this

// The plugin's file, mapped for as long as the manifest is read.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info = {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || info.st_size <= 0) return;
    const auto bytes = static_cast<std::size_t>(info.st_size);
    void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (at != MAP_FAILED) bytes_ = {static_cast<const std::uint8_t*>(at), bytes};
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
  }
  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

template <class T>
using Loaded = std::expected<T, LoadFault>;

std::unexpected<LoadFault> fault(std::string_view check, std::string text) {
  return std::unexpected(LoadFault{check, std::move(text)});
}

Loaded<ManifestReport> look_at_file(const RunnerContext& context) {
  const MappedFile file(context.plugin_path);
  if (file.bytes().empty())
    return fault("", fail_errno(ErrorCode::io, "the plugin's file can not be mapped", errno).error().message);
  Result<ManifestReport> manifest = parse_manifest(file.bytes());
  if (!manifest)
    return fault(manifest.error().code == ErrorCode::conflict ? "S3" : "S2", manifest.error().message);
  const std::string& id = context.setup.plugin_id;
  if (!id.empty() && manifest->id != id)
    return fault("S2", "its manifest says '" + manifest->id + "', not '" + id + "'");
  if (context.setup.kind == static_cast<std::uint8_t>(ChildKind::inspect))
    if (FileFault found = find_file_fault(file.bytes()); found.id != nullptr)
      return fault(found.id, std::move(found.text));
  return std::move(*manifest);
}

// The loader names the first alone. What a library of a `code` grant defines is missing here, too, for it went
// again with the plugin.
std::vector<std::string> missing_symbols(const std::string& path) {
  const MappedFile file(path);
  const Result<ElfFile> elf = read_elf(file.bytes());
  std::vector<std::string> missing;
  if (!elf) return missing;
  for (const std::string& name : elf->undefined) {
    ::dlerror();
    if (::dlsym(RTLD_DEFAULT, name.c_str()) == nullptr && ::dlerror() != nullptr) missing.push_back(name);
  }
  return missing;
}

std::string as_many_as_fit(const std::vector<std::string>& names) {
  constexpr std::size_t text_bytes_max = 600;  // what to do must fit behind it
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text.size() > text_bytes_max) return text + " and " + std::to_string(names.size() - i) + " more";
    text += (i == 0 ? "" : ", ") + printable(names[i], 200);
  }
  return text;
}

// The loader's own, out of "...failed (dlerror system message: FILE: WORDS): some errno", which is not its.
std::string loader_words(std::string_view what, const std::string& path) {
  constexpr std::string_view before = "system message: ";
  if (const auto at = what.find(before); at != what.npos) {
    what.remove_prefix(at + before.size());
    what = what.substr(0, what.rfind("): "));
  }
  if (what.starts_with(path + ": ")) what.remove_prefix(path.size() + 2);
  return std::string(what);
}

std::string load_trouble(const std::string& path, std::string_view what) {
  const std::string words = loader_words(what, path);
  if (words.find("undefined symbol") != words.npos)
    if (const std::vector<std::string> missing = missing_symbols(path); !missing.empty())
      return "nothing defines " + as_many_as_fit(missing) + " where plugins run; link what does into it";
  return "it does not load: " + words + "; `ldd -r` of the file tells what it lacks";
}

Loaded<const cape_entry*> load_entry(const std::string& path) {
  try {
    // The throwing overload: the other one loses the loader's message.
    auto made = std::make_unique<boost::dll::shared_library>(
        path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    const boost::dll::shared_library& library = *made.release();  // on purpose: see the header
    if (!library.has("cape_entry_v1"))
      return fault("L1",
                   "it exports no cape_entry_v1; define it as CAPE_LAMBDA and CAPE_SOURCE do, and link with "
                   "plugin.map of the Cape package");
    return &library.get<const cape_entry>("cape_entry_v1");
  } catch (const std::exception& e) {
    return fault("L1", load_trouble(path, e.what()));
  }
}

bool plausible_size(std::uint32_t struct_size, std::size_t least) {
  return struct_size >= least && struct_size <= table_bytes_max;
}

Loaded<void> check_entry(const cape_entry& entry, const ManifestReport& manifest) {
  if (!plausible_size(entry.struct_size, CAPE_FIELD_END_(&entry, get_factory)))
    return fault("L4", "cape_entry_v1 has struct_size " + std::to_string(entry.struct_size));
  if (entry.abi_major != manifest.abi_major || entry.abi_minor != manifest.abi_minor)
    return fault("L4", "cape_entry_v1 and the manifest name different ABI versions; rebuild the plugin");
  if (entry.get_factory == nullptr) return fault("L4", "cape_entry_v1 has no get_factory");
  for (const char* unknown : {"", "cape.lambda/", "cape.lambda/1x", "cape.source/1x"})
    if (entry.get_factory(unknown) != nullptr)
      return fault("L5", std::string("get_factory(\"") + unknown + "\") is not NULL; compare the whole id");
  return {};
}

Loaded<const cape_lambda*> find_lambda(const cape_entry& entry) {
  const auto* table = static_cast<const cape_lambda*>(entry.get_factory(CAPE_FACTORY_LAMBDA));
  if (table == nullptr) return fault("L5", "its manifest names a lambda, but get_factory has none");
  if (!plausible_size(table->struct_size, CAPE_FIELD_END_(table, destroy)))
    return fault("L4", "its cape_lambda has struct_size " + std::to_string(table->struct_size));
  if (table->create == nullptr || table->process == nullptr || table->destroy == nullptr)
    return fault("L4", "its cape_lambda lacks create, process or destroy");
  return table;
}

Loaded<const cape_source*> find_source(const cape_entry& entry) {
  const auto* table = static_cast<const cape_source*>(entry.get_factory(CAPE_FACTORY_SOURCE));
  if (table == nullptr) return fault("L5", "its manifest names a source, but get_factory has none");
  if (!plausible_size(table->struct_size, CAPE_FIELD_END_(table, scan)))
    return fault("L4", "its cape_source has struct_size " + std::to_string(table->struct_size));
  const bool complete = table->create != nullptr && table->destroy != nullptr && table->latest != nullptr &&
                        table->query != nullptr && table->scan != nullptr;
  if (!complete) return fault("L4", "its cape_source lacks create, destroy, latest, query or scan");
  return table;
}

}  // namespace

std::expected<LoadedPlugin, LoadFault> load_plugin(const RunnerContext& context) {
  LoadedPlugin plugin;
  Loaded<ManifestReport> manifest = look_at_file(context);
  if (!manifest) return std::unexpected(manifest.error());
  plugin.manifest = std::move(*manifest);

  const Loaded<const cape_entry*> entry = load_entry(context.plugin_path);
  if (!entry) return std::unexpected(entry.error());
  plugin.entry = *entry;
  if (Loaded<void> good = check_entry(**entry, plugin.manifest); !good) return std::unexpected(good.error());

  if ((plugin.manifest.kinds & CAPE_KIND_LAMBDA) != 0) {
    const Loaded<const cape_lambda*> lambda = find_lambda(**entry);
    if (!lambda) return std::unexpected(lambda.error());
    plugin.lambda = *lambda;
    plugin.manifest.lambda_flags = plugin.lambda->flags;
    plugin.manifest.has_flush = plugin.lambda->flush != nullptr;
    plugin.manifest.has_batch = plugin.lambda->process_batch != nullptr;
  }
  if ((plugin.manifest.kinds & CAPE_KIND_SOURCE) != 0) {
    const Loaded<const cape_source*> source = find_source(**entry);
    if (!source) return std::unexpected(source.error());
    plugin.source = *source;
  }
  return plugin;
}

}  // namespace cape::child
