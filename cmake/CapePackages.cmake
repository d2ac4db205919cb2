# What Debian provides. `./run deps` installs it. Every library is used behind one thin source file of ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_package(SQLite3 REQUIRED)
# Header-only: msgpack-cxx, cppzmq, toml++, nlohmann-json, CLI11, Boost.DLL come with the default include path.
# A plugin's root directory is empty, so it brings SQLite inside.
find_library(SQLITE3_STATIC libsqlite3.a REQUIRED)
