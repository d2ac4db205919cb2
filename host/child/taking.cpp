#include "host/child/taking.hpp"

#include <fmt/format.h>

#include "host/child/elf_check.hpp"

namespace cape::child {

using Kind = TakingVerdict::Kind;

const std::string Taking::no_hash_;

Taking::Taking(fs::path path, const FileMark& mark, const Limits& limits)
    : path_(std::move(path)), mark_(mark), limits_(limits) {}

void Taking::step(std::int64_t now_ns) {
  if (stage_ == Stage::copying) return copy_slice();
  if (stage_ != Stage::inspecting) return;
  std::optional<InspectionVerdict> found = inspection_->poll(now_ns);
  if (found) end_inspection(std::move(*found));
}

void Taking::copy_slice() {
  if (!copy_) {
    // Of the file and not of its bytes: judged before those are known by their hash.
    if (mark_.regular && mark_.set_id)
      return end({.kind = Kind::bad,
                  .image = {},
                  .signed_by = {},
                  .hash = {},
                  .reason = "check S9: the file has a set-user-id or set-group-id bit; chmod a-s it"});
    Result<ImageCopy> opened = ImageCopy::open(path_, mark_, limits_.bytes_max);
    if (!opened) return end_with(opened.error());
    copy_ = std::move(*opened);
  }
  const Result<bool> all = copy_->step();
  if (!all) return end_with(all.error());
  if (!*all) return;
  Result<SealedImage> sealed = copy_->finish();
  copy_.reset();
  if (!sealed) return end_with(sealed.error());
  look_at_copy(std::move(*sealed));
}

void Taking::look_at_copy(SealedImage copy) {
  image_ = std::make_shared<PluginImage>();
  image_->memfd = std::move(copy.memfd);
  image_->file = path_.string();
  image_->hash = std::move(copy.hash);
  image_->bytes = copy.bytes;
  if (limits_.signatures != nullptr && limits_.signatures->asked() && !look_at_signature()) return;
  if (std::string mistake = elf_mistake(image_->memfd.get(), image_->bytes); !mistake.empty()) {
    return end(
        {.kind = Kind::bad, .image = {}, .signed_by = {}, .hash = hash(), .reason = "check S1: " + mistake});
  }
  stage_ = Stage::copied;
}

// Of the sealed bytes, by their hash, and before anything else reads them: not of what lies at the path by
// now.
bool Taking::look_at_signature() {
  const auto unproven = [&](const std::string& reason) {
    if (limits_.signatures->required)
      end({.kind = Kind::unproven,
           .image = {},
           .signed_by = {},
           .hash = hash(),
           .reason = "not signed: " + reason});
    return !limits_.signatures->required;
  };
  const auto signature = read_signature(path_);
  if (!signature) return unproven(signature.error().message + "; sign it anew with `cape plugin sign`");
  if (!*signature)
    return unproven(fmt::format(
        "there is no {}{}, and require_signature is on; `cape plugin sign {} --key NAME.secret` makes it",
        path_.filename().string(), signature_suffix, path_.filename().string()));
  Result<std::string> signer = signer_of(**signature, hash(), limits_.signatures->trusted);
  if (!signer) return unproven(signer.error().message);
  image_->signed_by = std::move(*signer);
  return true;
}

void Taking::settle(TakingVerdict known) {
  known.signed_by = image_->signed_by;
  end(std::move(known));
}

void Taking::inspect(Inspector& inspector, std::int64_t now_ns) {
  Result<std::unique_ptr<Inspection>> started = inspector.start(image_, now_ns);
  if (!started) {
    return end({.kind = Kind::unsure,
                .image = {},
                .signed_by = {},
                .hash = hash(),
                .reason = std::move(started.error().message)});
  }
  inspection_ = std::move(*started);
  stage_ = Stage::inspecting;
}

void Taking::end_inspection(InspectionVerdict found) {
  inspection_.reset();
  if (look_at(path_) != mark_) return abandon();
  if (found.kind != InspectionVerdict::Kind::good) {
    const Kind kind = found.kind == InspectionVerdict::Kind::bad ? Kind::bad : Kind::unsure;
    return end({.kind = kind,
                .image = {},
                .signed_by = {},
                .hash = hash(),
                .reason = printable(found.reason, reason_bytes_max)});
  }
  image_->id = std::move(found.manifest.id);
  image_->version = std::move(found.manifest.version);
  image_->kinds = found.manifest.kinds;
  image_->wants = found.manifest.wants;
  image_->abi_minor = found.manifest.abi_minor;
  image_->abi_min_minor = found.manifest.abi_min_minor;
  end({.kind = Kind::good, .image = image_, .signed_by = image_->signed_by, .hash = hash(), .reason = {}});
}

void Taking::abandon() {
  end({.kind = Kind::changed, .image = {}, .signed_by = {}, .hash = {}, .reason = {}});
}

void Taking::end_with(const Error& error) {
  if (error.code == ErrorCode::conflict) return abandon();
  const bool file_at_fault = error.code == ErrorCode::invalid || error.code == ErrorCode::limit;
  end({.kind = file_at_fault ? Kind::bad : Kind::unsure,
       .image = {},
       .signed_by = {},
       .hash = {},
       .reason = error.message});
}

void Taking::end(TakingVerdict verdict) {
  copy_.reset();
  inspection_.reset();
  verdict_ = std::move(verdict);
  stage_ = Stage::ended;
}

}  // namespace cape::child
