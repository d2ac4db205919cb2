// host/child/taking.hpp
// Taking is one file on its way in: copied and hashed slice by slice, looked at, inspected. It ends with a
// Verdict. Thread: its owner's; step() works for some milliseconds at most.
//
//   copying ──▶ copied ──(the same bytes are known)──────────────▶ ended
//      │          └────(they are not) inspecting ──────────────────▶ ended
//      └── bad, or changed meanwhile ──────────────────────────────▶ ended
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/child/image_copy.hpp"
#include "host/child/inspector.hpp"
#include "host/child/signature.hpp"

namespace cape::child {

struct TakingVerdict {
  enum class Kind : std::uint8_t {
    good,
    bad,       // set aside until the file changes
    unsure,    // set aside, and tried again later
    unproven,  // no signature that counts: set aside until the file or its signature changes; the bytes may
               // be good
    changed,   // the file changed while it was taken in: start over once it is still
  };
  Kind kind = Kind::bad;
  PluginImagePtr image;  // good
  std::string signed_by;  // good: of this file; the same bytes under another name may have another signature
  std::string hash;      // empty if it could not be read
  std::string reason;    // bad, unsure, unproven
};

class Taking {
public:
  enum class Stage : std::uint8_t { copying, copied, inspecting, ended };

  struct Limits {
    std::uint64_t bytes_max = 0;
    const SignaturePolicy* signatures = nullptr;  // must outlive the taking; null: none are looked at
  };
  Taking(fs::path path, const FileMark& mark, const Limits& limits);

  Stage stage() const { return stage_; }
  const std::string& hash() const { return image_ ? image_->hash : no_hash_; }
  // Works on copying and inspecting; the stage may then be another one.
  void step(std::int64_t now_ns);
  // From stage copied: either what is known of the same bytes, or an inspection.
  void settle(TakingVerdict known);
  void inspect(Inspector& inspector, std::int64_t now_ns);
  // The file changed under it.
  void abandon();

  const TakingVerdict& verdict() const { return verdict_; }  // in stage ended
  const Inspection* inspection() const { return inspection_.get(); }

private:
  void copy_slice();
  void look_at_copy(SealedImage copy);
  bool look_at_signature();  // false: it has ended
  void end_inspection(InspectionVerdict found);
  void end(TakingVerdict verdict);
  void end_with(const Error& error);

  static const std::string no_hash_;
  fs::path path_;
  FileMark mark_;
  Limits limits_;
  Stage stage_ = Stage::copying;
  std::optional<ImageCopy> copy_;
  std::shared_ptr<PluginImage> image_;  // ours alone until the verdict; the inspection only reads its bytes
  std::unique_ptr<Inspection> inspection_;
  TakingVerdict verdict_;
};

}  // namespace cape::child
