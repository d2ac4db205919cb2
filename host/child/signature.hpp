// host/child/signature.hpp
// Signatures of plugin files: Ed25519 over the SHA-256 of the bytes, in FILE.sig beside the file. Beside it
// and not in a note of it, so that nothing of the file has to be read before its signature is known to be
// good, so that a file can be signed where it was not built, and so that its hash stays what it was.
//
//   NAME.secret   one line: secret:NAME:SEED, 64 hex digits; nobody else may read it
//   NAME.public   one line: NAME:PUBLIC, 64 hex digits; the same text stands in trusted_keys
//   FILE.sig      one line: cape-signature-1 NAME:PUBLIC SIGNATURE, 128 hex digits
//
// What is signed is "cape plugin signature 1\n" and the 32 bytes of the hash. A signature says who answers
// for the bytes, not that they are the newest: an older file that was signed stays good. Thread: any.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/config/config.hpp"
#include "core/error.hpp"

namespace cape::child {

inline constexpr std::string_view signature_suffix = ".sig";

// Which signatures intake wants of the files it watches. Built-in plugins are part of the installation, as
// the runner is, and need none.
struct SignaturePolicy {
  bool required = false;
  std::vector<TrustedKey> trusted;
  bool asked() const { return required || !trusted.empty(); }
};

// Makes DIR/NAME.secret and DIR/NAME.public. Error::conflict: one of them is there; nothing is overwritten.
Result<void> make_signing_keys(const fs::path& dir, const std::string& name);
// The public half of what make_signing_keys made, as it stands in trusted_keys.
Result<std::string> read_public_key(const fs::path& file);

// Writes FILE.sig beside `file`, whole or not at all. Error::conflict: others may read the secret.
Result<void> sign_plugin(const fs::path& file, const fs::path& secret_key);

// The name of the trusted key that signed bytes with this SHA-256 (64 hex digits), by the text of a FILE.sig.
// Error: invalid, with what is wrong and the next step.
Result<std::string> signer_of(std::string_view signature, std::string_view hash,
                              std::span<const TrustedKey> trusted);

// The text of the signature beside `plugin`. nullopt: there is none. Error: it can be no signature.
Result<std::optional<std::string>> read_signature(const fs::path& plugin);

}  // namespace cape::child
