#!/usr/bin/env bash
# first_plugin_test.sh CAPE SOURCE_DIR: does what README's "A plugin in 20 lines" says, with its blocks and its compiler line.
set -euo pipefail
. "$(dirname "$0")/../needs_namespaces.sh"
cape=$1 root=$2
work=$(mktemp -d /tmp/cape-readme-XXXXXX)
up=
trap '[ -z "$up" ] || { kill "$up" && wait "$up" || true; } 2>/dev/null; rm -rf "$work"' EXIT
die() {
  printf 'first_plugin_test: %s\n' "$*" >&2
  [ ! -f "$work/up.err" ] || cat "$work/up.err" >&2
  exit 1
}
until_true() { # COMMAND...: a state of another process, 30 s at most
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "not within 30 s: $*"
    sleep 0.05
  done
}
# block LANGUAGE: the section's one block of that language.
block() {
  local found=("$work/blocks"/section-*."$1")
  [ "${#found[@]}" = 1 ] && [ -f "${found[0]}" ] || die "README's section has no single $1 block"
  cat "${found[0]}"
}

mkdir "$work/blocks"
sed -n '/^## A plugin in 20 lines/,/^## [^A]/p' "$root/README.md" >"$work/section.md"
awk -v dir="$work/blocks" -v name=section -f "$(dirname "$0")/blocks.awk" "$work/section.md"
cd "$work"
block cpp >shouter.cpp
block toml >cape.toml
ln -s "$root/plugin_api" plugin_api
mkdir plugins
line=$(block sh | grep '^c++ ') || die "README has no compiler line"
read -ra words <<<"$line"
"${words[@]}" || die "README's compiler line failed: $line"

"$cape" up >up.out 2>up.err &
up=$!
until_true grep -qx ready up.out
"$cape" append orders order/17 --payload hello >/dev/null
until_true grep -q 'order/17: HELLO!' up.err
done_to_one() { "$cape" subject orders order/17 --json | grep -q '"cursor": *1,.*"state": *"done"'; }
until_true done_to_one
"$cape" append orders order/17 >/dev/null   # without payload it is skipped, and done as well
done_to_two() { "$cape" subject orders order/17 --json | grep -q '"cursor": *2,.*"state": *"done"'; }
until_true done_to_two
