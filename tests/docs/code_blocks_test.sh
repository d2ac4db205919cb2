#!/usr/bin/env bash
# code_blocks_test.sh CAPE SOURCE_DIR PAGE: compiles every cpp and c block of a page, strictly, and checks every toml block
# as a whole config. NAME-LINE in a message is the page and the line of the block.
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
[ "$compiled" -gt 0 ] || die "$page has no code block; is its text still fenced?"
for block in "$work"/*.toml; do
  "$cape" config check --config "$block" >"$work/out" 2>&1 || die "$(basename "$block"): $(cat "$work/out")"
done
echo "$compiled blocks of $page compile"
