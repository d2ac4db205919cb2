#!/usr/bin/env bash
# install_test.sh BUILD_DIR: installs a build into a prefix of its own, moves the prefix, and from there does what a plugin
# author does: builds the templates with CMake and with one plain line, drops them in, runs them with the installed cape;
# and what a service's author does: builds a client of libcape-ping and pings.
set -euo pipefail
. "$(dirname "$0")/../needs_namespaces.sh"
build=$1
work=$(mktemp -d /tmp/cape-install-XXXXXX)
up=

die() {
  printf 'install_test: %s\n' "$*" >&2
  [ ! -f "$work/up.err" ] || tail -n 40 "$work/up.err" >&2
  exit 1
}
stop() {
  [ -z "$up" ] || { kill "$up" && wait "$up" || true; } 2>/dev/null
  up=
}
trap 'stop; rm -rf "$work"' EXIT

# quietly COMMAND...: its output only if it fails.
quietly() { "$@" >"$work/out" 2>&1 || { cat "$work/out" >&2; die "failed: $*"; }; }

# until_true COMMAND...: waits for a state of another process, 30 s at most.
until_true() {
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "not within 30 s: $*"
    sleep 0.05
  done
}

start() { # CONFIG
  stop
  rm -f "$work/up.out"   # the one before was ready, too
  "$prefix/bin/cape" up --config "$1" >"$work/up.out" 2>"$work/up.err" &
  up=$!
  until_true grep -qx ready "$work/up.out"
}

quietly cmake --install "$build" --prefix "$work/first place"
mv "$work/first place" "$work/prefix"
prefix=$work/prefix
lib=$(dirname "$(find "$prefix" -name libcape-ping.so)")
[ -n "$lib" ] || die "libcape-ping.so is not installed"
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
site=$work/site
mkdir -p "$site/plugins"

# Templates with CMake, without a warning.
lambdas=(lambda_cpp lambda_c) sources=(source_cpp source_c)
if command -v rustc >/dev/null; then sources+=(source_rust)
else echo "skipped: rustc is missing, so no source in Rust is built; ./run deps installs it"
fi
for template in "${lambdas[@]}" "${sources[@]}"; do
  cp -r "$prefix/share/cape/template/$template" "$work/$template"
  quietly cmake -S "$work/$template" -B "$work/$template/build" -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$work/$template/build"
  ! grep -i warning "$work/out" || die "template $template builds with a warning"
done
for template in "${lambdas[@]}"; do cp "$work/$template"/build/*.so "$site/plugins"; done
[ "$(ls "$site/plugins" | tr '\n' ' ')" = "line_log.so word_count.so " ] || die "a template built no plugin"

# The lambda template and the journal.
sed '/^grant/s/ *#.*//' "$work/lambda_cpp/cape.toml" >"$site/cape.toml"
start "$site/cape.toml"
"$prefix/bin/cape" --config "$site/cape.toml" append notes a/1 --payload "some words a b" >/dev/null
until_true grep -q 'a/1: 2 words' "$work/up.err"   # word_bytes_min = 2
echo "ok: the C++ lambda template ran with the installed cape"

# A service pings through libcape-ping, linked with pkg-config.
cat >"$work/service.c" <<'C'
#include <cape/ping.h>
#include <stdio.h>
int main(int argc, char **argv) {
  cape_ping_options options = {sizeof options};
  cape_ping_client *client;
  cape_ping_code code;
  options.data_dir = argv[argc - 2];
  if (cape_ping_connect(&options, &client) != CAPE_PING_OK) return puts(cape_ping_error()), 100;
  code = cape_ping_wait(client, argv[argc - 1], "a/1", 0, 20000);
  if (code != CAPE_PING_OK) puts(cape_ping_error());
  cape_ping_close(client);
  return code;
}
C
read -ra flags <<<"$(pkg-config --cflags --libs cape-ping)"
quietly "${CC:-cc}" -std=c99 -Wall -Wno-missing-field-initializers -Werror "$work/service.c" "${flags[@]}" -o "$work/service"
quietly "$work/service" "$site/data" notes
code=0
"$work/service" "$site/data" nowhere >"$work/out" || code=$?
[ "$code" = 2 ] && grep -q nowhere "$work/out" || die "a ping for an unknown domain got $code: $(cat "$work/out")"
echo "ok: a service linked with pkg-config pinged"

# find_package gives Cape::ping, and a plugin that a host would set aside is warned of.
mkdir "$work/both"
printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(both LANGUAGES C)' 'find_package(Cape 0.1 REQUIRED)' \
  'add_executable(service ../service.c)' 'target_link_libraries(service PRIVATE Cape::ping)' \
  'cape_add_plugin(none none.c)' 'target_link_libraries(none PRIVATE -Wl,--no-as-needed zmq)' >"$work/both/CMakeLists.txt"
echo 'int nothing(void); int nothing(void) { return 0; }' >"$work/both/none.c"
quietly cmake -S "$work/both" -B "$work/both/build" -DCMAKE_PREFIX_PATH="$prefix"
quietly cmake --build "$work/both/build"
grep -q 'none.so exports no cape_entry_v1' "$work/out" || die "no warning of a plugin without an entry: $(cat "$work/out")"
grep -q 'none.so has no manifest' "$work/out" || die "no warning of a plugin without a manifest: $(cat "$work/out")"
grep -q 'none.so needs libzmq.so' "$work/out" || die "no warning of a library that is not there: $(cat "$work/out")"
quietly "$work/both/build/service" "$site/data" notes
echo "ok: find_package(Cape) gives Cape::ping and warns of what is no plugin"

# The C template, compiled by one plain line.
rm "$site/plugins/line_log.so"
read -ra flags <<<"$(pkg-config --cflags --libs cape-plugin)"
quietly "${CC:-cc}" -std=c99 -Wall -Werror "$work/lambda_c/line_log.c" "${flags[@]}" -o "$site/plugins/line_log.so"
cp "$work/lambda_c/cape.toml" "$site/cape.toml"
start "$site/cape.toml"
until_true grep -q 'note a/1: some words a b' "$work/up.err"
echo "ok: the C template, built by one line with pkg-config, ran"

# The source templates, with the lambda that comes with Cape.
run_source() { # TEMPLATE
  local dir=$work/$1
  mkdir "$dir/plugins" "$dir/notes"
  cp "$dir/build/line_source.so" "$dir/plugins"
  printf 'one two\nthree\nunfinis' >"$dir/notes/today.txt"
  start "$dir/cape.toml"
  until_true grep -rq '"subject":"today","sequence":2,.*"payload":"three"' "$dir/data/state/keep/log"
  ! grep -rq unfinis "$dir/data/state/keep/log" || die "$1 gave a line that is still being written"
  echo 'hed four' >>"$dir/notes/today.txt"
  quietly "$prefix/bin/cape" --config "$dir/cape.toml" ping notes today --ack
  until_true grep -rq '"sequence":3,.*"payload":"unfinished four"' "$dir/data/state/keep/log"
}
for template in "${sources[@]}"; do run_source "$template"; done
echo "ok: the source templates ran: ${sources[*]}"

# A new project of each template builds, and its own tests pass.
new_project() { # NAME OPTION...
  (cd "$work" && quietly "$prefix/bin/cape" plugin new "$@")
  quietly cmake -S "$work/$1" -B "$work/$1/build" -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$work/$1/build"
  ! grep -i warning "$work/out" || die "project $1 builds with a warning"
  [ -f "$work/$1/build/$1.so" ] || die "project $1 built no $1.so"
  quietly ctest --test-dir "$work/$1/build" --output-on-failure --no-tests=error
}
new_project geo_count
new_project geo_log --lang c
new_project geo_source --kind source
new_project geo_c_source --kind source --lang c
if command -v rustc >/dev/null; then
  new_project geo_words --lang rust
  new_project geo_rust_source --kind source --lang rust
else echo "skipped: rustc is missing, so no project in Rust is built; ./run deps installs it"
fi
if command -v go >/dev/null; then new_project geo_sizes --lang go
else echo "skipped: go is missing, so no project in Go is built; ./run deps installs it"
fi
! "$prefix/bin/cape" plugin new geo_log --dir "$work/geo_log" >"$work/out" 2>&1 || die "a project was overwritten"
echo "ok: cape plugin new makes projects that build and pass their tests"

# What a source's project says in its README works as it stands there, whichever way it is built, and its sample is enough
# for every check of a source.
readme_lines() { # PROJECT PROGRAMS: the README's commands that begin with one of these, for this prefix.
  awk -v programs="^($2) " '/^```/ { inside = !inside } inside && $0 ~ programs' "$work/$1/README.md" | sed "s|/usr/local|$prefix|g"
}
follow_readme() { # PROJECT
  local dir=$work/$1 way
  for way in 'mkdir|cmake|cp' 'mkdir|cc|c[+][+]|rustc|cp'; do
    rm -rf "$dir/build" "$dir/plugins"
    (cd "$dir" && quietly bash -ec "$(readme_lines "$1" "$way")")
    quietly "$prefix/bin/cape" plugin check "$dir/plugins/$1.so" --settings "{\"dir\":\"$dir\"}" --grant read="$dir" --only S,L,E
    ! grep -E '^(E. *skipped|[SE]. *warning)' "$work/out" || die "cape plugin check of $1 is not wholly content"
  done
  start "$dir/cape.toml"
  (cd "$dir" && PATH=$prefix/bin:$PATH quietly bash -ec "$(readme_lines "$1" 'echo|cape ping')")
  until_true grep -rq '"payload":"some words"' "$dir/data/state/keep/log"
}
follow_readme geo_source
follow_readme geo_c_source
[ ! -d "$work/geo_rust_source" ] || follow_readme geo_rust_source
echo "ok: the READMEs of sources can be followed"
