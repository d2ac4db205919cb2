#include "wire/zmq/keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <fmt/format.h>
#include <zmq.hpp>

#include "core/unique_fd.hpp"

namespace cape::wire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t key_characters = 40;
constexpr std::size_t key_bytes = 32;
constexpr std::uintmax_t key_file_bytes_max = 64 << 10;

bool is_key(const std::string& text) {
  std::uint8_t bytes[key_bytes];
  return text.size() == key_characters && ::zmq_z85_decode(bytes, text.c_str()) != nullptr;
}

Result<void> check_file(const fs::path& file, bool is_secret) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0)
    return fail_errno(
        errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
        fmt::format("cannot read the key file {}; make keys with `cape keys new`, or copy the file from "
                    "where they were made",
                    file.string()),
        errno);
  if (!S_ISREG(found.st_mode) || static_cast<std::uintmax_t>(found.st_size) > key_file_bytes_max)
    return fail(ErrorCode::invalid, fmt::format("{} is no key file", file.string()));
  if (is_secret && (found.st_mode & 077) != 0)
    return fail(
        ErrorCode::conflict,
        fmt::format("others may read the secret {}; run chmod 600 {}, and make new keys if they may have",
                    file.string(), file.string()));
  return {};
}

Result<std::vector<std::string>> read_keys(const fs::path& file, bool is_secret) {
  if (auto checked = check_file(file, is_secret); !checked) return std::unexpected(checked.error());
  std::ifstream in(file);
  if (!in)
    return fail(ErrorCode::io,
                fmt::format("cannot open the key file {}; let this user read it", file.string()));
  std::vector<std::string> keys;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (!is_key(line) || keys.size() == keys_per_role_max)
      return fail(ErrorCode::invalid,
                  fmt::format("{}: each line holds one key of {} characters, at most {} lines; "
                              "make keys with `cape keys new`",
                              file.string(), key_characters, keys_per_role_max));
    keys.push_back(line);
  }
  return keys;
}

Result<std::string> read_key(const fs::path& file, bool is_secret) {
  auto keys = read_keys(file, is_secret);
  if (!keys) return std::unexpected(keys.error());
  if (keys->size() == 1) return keys->front();
  return fail(ErrorCode::invalid, fmt::format("{} holds {} keys, expected one", file.string(), keys->size()));
}

Result<void> write_new(const fs::path& file, mode_t mode, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd && errno == EEXIST)
    return fail(
        ErrorCode::conflict,
        fmt::format("{} is there already and is not overwritten; choose another --dir", file.string()));
  if (!fd || ::fchmod(fd.get(), mode) != 0 ||
      ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd.get()) != 0)
    return fail_errno(ErrorCode::io, fmt::format("cannot write {}", file.string()), errno);
  return {};
}

Result<void> make_key_pair(const fs::path& dir, const std::string& name) {
  char public_key[key_characters + 1], secret_key[key_characters + 1];
  if (::zmq_curve_keypair(public_key, secret_key) != 0)
    return fail(ErrorCode::io, "this libzmq has no CURVE; install one that was built with libsodium");
  if (auto written = write_new(dir / (name + ".secret"), 0600, secret_key + std::string("\n")); !written)
    return written;
  return write_new(dir / (name + ".public"), 0644, public_key + std::string("\n"));
}

}  // namespace

const char* name_of(Role role) {
  switch (role) {
    case Role::ping:
      return "ping";
    case Role::host:
      return "host";
    case Role::watch:
      return "watch";
    case Role::admin:
      return "admin";
  }
  return "";
}

Result<ServerKeys> load_server_keys(const fs::path& dir) {
  ServerKeys keys;
  auto secret = read_key(dir / "broker.secret", true);
  if (!secret) return std::unexpected(secret.error());
  keys.secret_key = *std::move(secret);
  for (const Role role : roles) {
    auto clients = read_keys(dir / (std::string(name_of(role)) + ".public"), false);
    if (!clients) return std::unexpected(clients.error());
    keys.clients[static_cast<std::size_t>(role)] = *std::move(clients);
  }
  return keys;
}

Result<ClientKeys> load_client_keys(const fs::path& dir, Role role) {
  auto server = read_key(dir / "broker.public", false);
  if (!server) return std::unexpected(server.error());
  auto secret = read_key(dir / (std::string(name_of(role)) + ".secret"), true);
  if (!secret) return std::unexpected(secret.error());
  char public_key[key_characters + 1];
  if (::zmq_curve_public(public_key, secret->c_str()) != 0)
    return fail(ErrorCode::io, "this libzmq has no CURVE; install one that was built with libsodium");
  return ClientKeys{
      .server_key = *std::move(server), .public_key = public_key, .secret_key = *std::move(secret)};
}

Result<void> make_keys(const fs::path& dir) {
  std::error_code error;
  fs::create_directories(dir.parent_path(), error);
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(ErrorCode::io, fmt::format("cannot make directory {}", dir.string()), errno);
  if (auto made = make_key_pair(dir, "broker"); !made) return made;
  for (const Role role : roles)
    if (auto made = make_key_pair(dir, name_of(role)); !made) return made;
  return {};
}

}  // namespace cape::wire
