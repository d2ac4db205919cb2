#include "host/check/checker.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/types.hpp"
#include "host/check/reading.hpp"
#include "host/child/image_copy.hpp"
#include "plugin_api/include/cape/plugin.h"

namespace cape::check {
namespace {

constexpr std::uint64_t file_bytes_max = 256u << 20;

void note_manifest(const child::ManifestReport& manifest, child::PluginImage& image) {
  image.id = manifest.id;
  image.version = manifest.version;
  image.kinds = manifest.kinds;
  image.wants = manifest.wants;
}

void read_file(Bench& bench, child::PluginImage& image) {
  bench.form = read_form(image, bench.bytes, bench.in_process);
  if (!bench.is_library()) return;
  NoteRead read = read_note(bench.bytes, bench.in_process);
  bench.note = std::move(read.note);
  bench.abi = std::move(read.abi);
  bench.manifest = std::move(read.manifest);
  note_manifest(bench.manifest, image);
}

bool names(const std::vector<std::string>& wanted, const Check& check) {
  return std::ranges::any_of(wanted, [&](const std::string& name) {
    return name == check.id || (name.size() == 1 && name[0] == check.id[0]);
  });
}

// Why it makes no sense without a child; null: it does.
const char* needs_a_child(std::string_view id) {
  if (id == "L2") return "there are no walls around it";
  if (id == "L3") return "it is the start of a child that is measured";
  if (id == "C10") return "an event that does not stop could not be killed";
  if (id == "C11") return "it ends the child from a thread of the plugin";
  return nullptr;
}

// Why a check has nothing to look at; empty: it has.
std::string moot(const Bench& bench, const Check& check) {
  const std::string_view id = check.id;
  if (const char* why = needs_a_child(id); bench.in_process && why != nullptr)
    return std::string("not checked in this process: ") + why;
  if (id == "S1") return {};
  if (!bench.is_library()) return "it is no library that can be read";
  if (id[0] == 'S') return {};
  if (!bench.is_plugin()) return "it is no plugin of this Cape";
  const auto is = [&](std::uint32_t kind) { return (bench.manifest.kinds & kind) != 0; };
  if ((id[0] == 'C' || id[0] == 'F') && !is(CAPE_KIND_LAMBDA)) return "it is not a lambda";
  if (id[0] == 'E' && !is(CAPE_KIND_SOURCE)) return "it is not an event source";
  return {};
}

// What is wrong with the file itself is not loaded, and what does not come and go is not run: one cause, one
// finding.
const char* stops_the_rest(const Check& check, const Finding& finding) {
  if (!is_bad(finding.verdict)) return nullptr;
  if (check.id[0] == 'S') return "it is not loaded before the file itself is right";
  return check.id[0] == 'L' ? "it does not start and stop as it must" : nullptr;
}

Finding run_check(const Check& check, const Bench& bench) {
  return check.id[0] == 'S' ? read_check(check, bench) : check.run(bench);
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::information:
      return "information";
    case Verdict::warning:
      return "warning";
    case Verdict::skipped:
      return "skipped";
    case Verdict::fail:
      return "fail";
    case Verdict::crashed:
      return "crashed";
    case Verdict::timeout:
      return "timeout";
  }
  return "unknown";
}

// The order of the groups: nothing runs before the file is right and loads.
static std::size_t group_rank(char group) {
  return std::string_view("SLCEF").find(group);
}

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (const auto& group : {static_checks(), load_checks(), lambda_checks(), batch_checks(), drill_checks(),
                            source_checks(), volume_checks()})
    all.insert(all.end(), group.begin(), group.end());
  std::ranges::stable_sort(all, {}, [](const Check& check) {
    return std::pair(group_rank(check.id[0]), std::atoi(check.id + 1));
  });
  return all;
}

bool CheckReport::good() const {
  return std::ranges::none_of(checks, [](const Checked& checked) { return is_bad(checked.finding.verdict); });
}

std::size_t CheckReport::starved() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(checks, [](const Checked& checked) { return checked.finding.starved; }));
}

std::string unknown_check(const std::vector<std::string>& wanted) {
  const std::vector<Check> all = all_checks();
  for (const std::string& name : wanted)
    if (std::ranges::none_of(all, [&](const Check& check) { return names({name}, check); })) return name;
  return {};
}

Result<std::shared_ptr<child::PluginImage>> take_image(const fs::path& file) {
  const child::FileMark mark = child::look_at(file);
  if (!mark.present) return fail(ErrorCode::not_found, "it is not there");
  Result<child::ImageCopy> copy = child::ImageCopy::open(file, mark, file_bytes_max);
  if (!copy) return std::unexpected(copy.error());
  for (bool all = false; !all;) {
    const Result<bool> step = copy->step();
    if (!step) return std::unexpected(step.error());
    all = *step;
  }
  Result<child::SealedImage> sealed = copy->finish();
  if (!sealed) return std::unexpected(sealed.error());
  auto image = std::make_shared<child::PluginImage>();
  image->memfd = std::move(sealed->memfd);
  image->file = file.string();
  image->hash = std::move(sealed->hash);
  image->bytes = sealed->bytes;
  return image;
}

Result<child::ManifestReport> read_manifest(child::PluginImage& image) {
  const MappedImage mapped(image);
  NoteRead read = read_note(mapped.bytes(), false);
  if (read.abi.verdict != Verdict::pass) return fail(ErrorCode::conflict, std::move(read.abi.text));
  if (read.note.verdict != Verdict::pass) return fail(ErrorCode::invalid, std::move(read.note.text));
  note_manifest(read.manifest, image);
  return std::move(read.manifest);
}

Result<CheckReport> check_plugin(const fs::path& file, const CheckOptions& options) {
  return check_plugin(file, options, all_checks());
}

Result<CheckReport> check_plugin(const fs::path& file, const CheckOptions& options,
                                 std::span<const Check> checks) {
  auto image = take_image(file);
  if (!image) return std::unexpected(image.error());
  const MappedImage mapped(**image);
  Bench bench;
  bench.settings_json = options.settings_json;
  bench.grant = options.grant;
  bench.seed = options.seed;
  bench.in_process = options.in_process;
  struct stat status = {};
  if (::stat(file.c_str(), &status) == 0) bench.mode = status.st_mode;
  bench.image = *image;
  bench.bytes = mapped.bytes();
  read_file(bench, **image);

  CheckReport report{.plugin = bench.manifest.id,
                     .version = bench.manifest.version,
                     .hash = (*image)->hash,
                     .checks = {},
                     .seed = options.seed};
  const char* stopped = nullptr;
  for (const Check& check : checks) {
    if ((!options.only.empty() && !names(options.only, check)) || names(options.skip, check)) continue;
    Finding finding;
    if (std::string why = moot(bench, check); !why.empty())
      finding = {Verdict::skipped, std::move(why)};
    else if (stopped != nullptr && check.id[0] != 'S')
      finding = {Verdict::skipped, stopped};
    else
      finding = run_check(check, bench);
    if (stopped == nullptr) stopped = stops_the_rest(check, finding);
    finding.text = shortened(std::move(finding.text), reason_bytes_max);
    if (options.tell) options.tell(check, finding);
    report.checks.push_back({check.id, std::move(finding)});
  }
  return report;
}

}  // namespace cape::check
