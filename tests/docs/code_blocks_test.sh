#!/usr/bin/env bash
# code_blocks_test.sh CAPE SOURCE_DIR PAGE: compiles every cpp, c, rust and python block of a page, strictly, and checks
# every toml block as a whole config. NAME-LINE in a message is the page and the line of the block.
set -euo pipefail
cape=$1 root=$2 page=$3
work=$(mktemp -d /tmp/cape-docs-XXXXXX)
trap 'rm -rf "$work"' EXIT
die() {
  printf 'code_blocks_test: %s\n' "$*" >&2
  exit 1
}

awk -v dir="$work" -v name="$(basename "$page" .md)" -f "$(dirname "$0")/blocks.awk" "$page"
strict=(-pedantic -Wall -Wextra -Wshadow -Werror -fsyntax-only -I "$root/plugin_api/include")
shopt -s nullglob
compiled=0
for block in "$work"/*.cpp; do
  "${CXX:-c++}" -std=c++17 "${strict[@]}" "$block" || die "$(basename "$block") does not compile"
  compiled=$((compiled + 1))
done
for block in "$work"/*.c; do
  "${CC:-cc}" -std=c99 "${strict[@]}" "$block" || die "$(basename "$block") does not compile"
  compiled=$((compiled + 1))
done
for block in "$work"/*.rust; do
  command -v rustc >/dev/null || { echo "skipped: rustc is missing for $(basename "$block")"; continue; }
  rustc --edition 2021 --crate-type rlib --crate-name cape -o "$work/libcape.rlib" "$root/plugin_api/rust/cape.rs"
  rustc --edition 2021 -D warnings --crate-type cdylib --crate-name block --extern cape="$work/libcape.rlib" -o "$work/block.so" "$block" ||
    die "$(basename "$block") does not compile"
  compiled=$((compiled + 1))
done
for block in "$work"/*.python; do
  python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$block" || die "$(basename "$block") does not compile"
  compiled=$((compiled + 1))
done
[ "$compiled" -gt 0 ] || die "$page has no code block; is its text still fenced?"
mkdir "$work/lambdas" # a relative one of a grant
for block in "$work"/*.toml; do
  if grep -q /usr/lib/python3.11 "$block" && [ ! -d /usr/lib/python3.11 ]; then
    echo "skipped: libpython3.11 is missing for $(basename "$block")"
    continue
  fi
  "$cape" config check --config "$block" >"$work/out" 2>&1 || die "$(basename "$block"): $(cat "$work/out")"
done
echo "$compiled blocks of $page compile"
