// wire/zmq/keys.hpp
// The CURVE keys of Cape's tcp sockets, in a directory of files:
//
//   broker.secret broker.public     the broker's own pair
//   ROLE.secret   ROLE.public       of each role: ping (push and ping), host, watch (monitor), admin
//
// A file holds keys as 40 characters of Z85, one a line; lines that begin with # are remarks. A ROLE.public
// may hold several, for clients with pairs of their own. The broker needs broker.secret and every
// ROLE.public; a client ROLE.secret and broker.public, from which it also derives its public key. Secrets
// have mode 0600: one that others may read is refused. Pure but for the files; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace cape::wire {

enum class Role : std::uint8_t { ping, host, watch, admin };
inline constexpr std::array roles{Role::ping, Role::host, Role::watch, Role::admin};
const char* name_of(Role role);

inline constexpr std::size_t keys_per_role_max = 1024;

struct ServerKeys {
  std::string secret_key;                                      // Z85, as all of these
  std::array<std::vector<std::string>, roles.size()> clients;  // public keys by Role
};
struct ClientKeys {
  std::string server_key;  // the broker's public one
  std::string public_key, secret_key;
};

// not_found, io: a file is missing or unreadable; invalid: what it holds is no key; conflict: others may read
// a secret. Each names the file and the next step.
Result<ServerKeys> load_server_keys(const std::filesystem::path& dir);
Result<ClientKeys> load_client_keys(const std::filesystem::path& dir, Role role);

// Makes the directory and every file. conflict: one of them is there already, and nothing is overwritten.
Result<void> make_keys(const std::filesystem::path& dir);

}  // namespace cape::wire
