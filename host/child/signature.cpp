#include "host/child/signature.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "core/types.hpp"
#include "core/unique_fd.hpp"
#include "host/child/image_copy.hpp"

namespace cape::child {
namespace {

constexpr std::string_view signature_mark = "cape-signature-1", secret_mark = "secret";
constexpr std::string_view signed_prefix = "cape plugin signature 1\n";
constexpr std::size_t text_bytes_max = 512;  // of any of the files above

template <std::size_t size>
using KeyBytes = std::array<unsigned char, size>;
using PublicKey = KeyBytes<crypto_sign_PUBLICKEYBYTES>;
using Seed = KeyBytes<crypto_sign_SEEDBYTES>;
using Signature = KeyBytes<crypto_sign_BYTES>;

template <std::size_t size>
std::string hex_of(const KeyBytes<size>& bytes) {
  std::array<char, 2 * size + 1> text;
  return sodium_bin2hex(text.data(), text.size(), bytes.data(), size);
}

// Exactly `size` bytes as small hex digits.
template <std::size_t size>
std::optional<KeyBytes<size>> bytes_of(std::string_view hex) {
  KeyBytes<size> bytes;
  std::size_t got = 0;
  const bool whole = hex.size() == 2 * size &&
                     sodium_hex2bin(bytes.data(), size, hex.data(), hex.size(), nullptr, &got, nullptr) == 0;
  return whole && got == size ? std::optional(bytes) : std::nullopt;
}

// The next word up to `end`, which goes with it; the rest if there is no `end`.
std::string_view take_word(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view word = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return word;
}

struct SmallFile {
  std::string text;    // without the line's end
  bool secret = true;  // nobody else may read it
};

// Error::not_found: there is none. Never waits, whatever lies there.
Result<SmallFile> read_small(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0)
    return fail_errno(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io, "cannot open " + file.string(),
                      errno);
  if (!S_ISREG(info.st_mode) || info.st_size > static_cast<off_t>(text_bytes_max))
    return fail(ErrorCode::invalid,
                fmt::format("{} is no file of at most {} bytes", file.string(), text_bytes_max));
  std::array<char, text_bytes_max + 1> text;
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return fail_errno(ErrorCode::io, "cannot read " + file.string(), errno);
  SmallFile found{.text = {text.data(), static_cast<std::size_t>(got)}, .secret = (info.st_mode & 077) == 0};
  while (found.text.ends_with('\n') || found.text.ends_with('\r')) found.text.pop_back();
  return found;
}

Result<void> write_fresh(const fs::path& file, mode_t mode, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd && errno == EEXIST)
    return fail(ErrorCode::conflict,
                fmt::format("{} is there already and is not overwritten; choose another name or --dir",
                            file.string()));
  if (!fd || ::fchmod(fd.get(), mode) != 0 ||
      ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd.get()) != 0)
    return fail_errno(ErrorCode::io, "cannot write " + file.string(), errno);
  return {};
}

Result<void> begin_sodium() {
  if (::sodium_init() >= 0) return {};
  return fail(ErrorCode::io, "libsodium finds no source of random numbers on this machine");
}

struct SigningKey {
  std::string name;
  PublicKey public_key;
  KeyBytes<crypto_sign_SECRETKEYBYTES> secret_key;
  ~SigningKey() { sodium_memzero(secret_key.data(), secret_key.size()); }
};

Result<SigningKey> read_secret_key(const fs::path& file) {
  auto found = read_small(file);
  if (!found) {
    found.error().message += "; make a key with `cape keys signing NAME`";
    return std::unexpected(found.error());
  }
  std::string_view rest = found->text;
  const std::string_view first = take_word(rest, ':'), name = take_word(rest, ':');
  const auto seed = bytes_of<crypto_sign_SEEDBYTES>(rest);
  if (first != secret_mark || !is_name(name) || !seed)
    return fail(ErrorCode::invalid,
                fmt::format("{} is no secret signing key; `cape keys signing NAME` makes NAME.secret",
                            file.string()));
  if (!found->secret)
    return fail(
        ErrorCode::conflict,
        fmt::format("others may read the secret {0}; run chmod 600 {0}, and make a new key if they may have",
                    file.string()));
  SigningKey key{.name = std::string(name), .public_key = {}, .secret_key = {}};
  ::crypto_sign_seed_keypair(key.public_key.data(), key.secret_key.data(), seed->data());
  return key;
}

// What a signature is over: never the bare hash, so that no other use of the key can be taken for one of
// ours.
std::optional<std::string> signed_text(std::string_view hash) {
  const auto digest = bytes_of<crypto_hash_sha256_BYTES>(hash);
  if (!digest) return std::nullopt;
  return std::string(signed_prefix) +
         std::string(reinterpret_cast<const char*>(digest->data()), digest->size());
}

Result<std::string> hash_of(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(ErrorCode::io, "cannot open " + file.string(), errno);
  Sha256 hash;
  std::vector<char> buffer(256u << 10);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(ErrorCode::io, "cannot read " + file.string(), errno);
    if (got == 0) return hash.finish();
    hash.add({buffer.data(), static_cast<std::size_t>(got)});
  }
}

// Beside it and then over it: a host that looks meanwhile finds the old one or the new one.
Result<void> put_in_place(const fs::path& file, const std::string& text) {
  const fs::path beside = file.string() + ".tmp";
  ::unlink(beside.c_str());  // left by one that was interrupted
  if (Result<void> written = write_fresh(beside, 0644, text); !written) return written;
  if (::rename(beside.c_str(), file.c_str()) != 0)
    return fail_errno(ErrorCode::io, "cannot write " + file.string(), errno);
  return {};
}

}  // namespace

Result<void> make_signing_keys(const fs::path& dir, const std::string& name) {
  if (Result<void> begun = begin_sodium(); !begun) return begun;
  std::error_code error;
  fs::create_directories(dir, error);
  if (error)
    return fail(ErrorCode::io, fmt::format("cannot make directory {}: {}", dir.string(), error.message()));
  Seed seed;
  ::randombytes_buf(seed.data(), seed.size());
  PublicKey public_key;
  KeyBytes<crypto_sign_SECRETKEYBYTES> secret_key;
  ::crypto_sign_seed_keypair(public_key.data(), secret_key.data(), seed.data());
  Result<void> written =
      write_fresh(dir / (name + ".secret"), 0600, fmt::format("{}:{}:{}\n", secret_mark, name, hex_of(seed)));
  sodium_memzero(seed.data(), seed.size());
  sodium_memzero(secret_key.data(), secret_key.size());
  if (!written) return written;
  return write_fresh(dir / (name + ".public"), 0644, fmt::format("{}:{}\n", name, hex_of(public_key)));
}

Result<std::string> read_public_key(const fs::path& file) {
  auto found = read_small(file);
  if (!found) return std::unexpected(found.error());
  return std::move(found->text);
}

Result<void> sign_plugin(const fs::path& file, const fs::path& secret_key) {
  const auto key = read_secret_key(secret_key);
  if (!key) return std::unexpected(key.error());
  const auto hash = hash_of(file);
  if (!hash) return std::unexpected(hash.error());
  const std::string text = signed_text(*hash).value();
  Signature signature;
  ::crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(text.data()),
                         text.size(), key->secret_key.data());
  return put_in_place(
      file.string() + std::string(signature_suffix),
      fmt::format("{} {}:{} {}\n", signature_mark, key->name, hex_of(key->public_key), hex_of(signature)));
}

Result<std::string> signer_of(std::string_view signature, std::string_view hash,
                              std::span<const TrustedKey> trusted) {
  std::string_view rest = signature;
  const std::string_view first = take_word(rest, ' '), name = take_word(rest, ':'),
                         hex = take_word(rest, ' ');
  const auto public_key = bytes_of<crypto_sign_PUBLICKEYBYTES>(hex);
  const auto given = bytes_of<crypto_sign_BYTES>(rest);
  const std::optional<std::string> text = signed_text(hash);
  if (first != signature_mark || !is_name(name) || !public_key || !given || !text)
    return fail(ErrorCode::invalid, "its signature is malformed; sign it anew with `cape plugin sign`");
  const auto key = std::ranges::find(trusted, hex, &TrustedKey::hex);
  if (key == trusted.end())
    return fail(
        ErrorCode::invalid,
        fmt::format(
            "it is signed by key '{}' ({}...), which is not trusted here; add \"{}:{}\" to trusted_keys in "
            "cape.toml, or sign it with a key that stands there",
            name, hex.substr(0, 8), name, hex));
  if (::crypto_sign_verify_detached(given->data(), reinterpret_cast<const unsigned char*>(text->data()),
                                    text->size(), public_key->data()) != 0)
    return fail(
        ErrorCode::invalid,
        fmt::format(
            "its signature by key '{}' is not of these bytes: the file was changed after it was signed, or "
            "the signature is that of another; copy both anew, or sign it with `cape plugin sign`",
            key->name));
  return key->name;
}

Result<std::optional<std::string>> read_signature(const fs::path& plugin) {
  auto found = read_small(plugin.string() + std::string(signature_suffix));
  if (found) return std::move(found->text);
  if (found.error().code == ErrorCode::not_found) return std::nullopt;
  return std::unexpected(found.error());
}

}  // namespace cape::child
