#!/usr/bin/env bash
# guide_runs_test.sh CAPE SOURCE_DIR: builds every plugin that docs/plugin-guide.md shows, runs all of them with the page's own
# config blocks, and looks at what each has done with an event.
set -euo pipefail
. "$(dirname "$0")/../needs_namespaces.sh"
cape=$1 root=$2
work=$(mktemp -d /tmp/cape-guide-XXXXXX)
up=
trap '[ -z "$up" ] || { kill "$up" && wait "$up" || true; } 2>/dev/null; rm -rf "$work"' EXIT
die() {
  printf 'guide_runs_test: %s\n' "$*" >&2
  [ ! -f "$work/up.err" ] || tail -n 60 "$work/up.err" >&2
  exit 1
}
until_true() { # COMMAND...: a state of another process, 30 s at most
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "not within 30 s: $*"
    sleep 0.05
  done
}
# block_with TEXT LANGUAGE: the one block of that language which holds TEXT.
block_with() {
  local found
  mapfile -t found < <(grep -lF -- "$1" "$work"/blocks/*."$2")
  [ "${#found[@]}" = 1 ] || die "the guide has ${#found[@]} $2 blocks with '$1', not one"
  echo "${found[0]}"
}

mkdir "$work/blocks" "$work/plugins"
cd "$work"
awk -v dir="$work/blocks" -v name=guide -f "$(dirname "$0")/blocks.awk" "$root/docs/plugin-guide.md"

# Every plugin of the page. One that is new there has no check below, so it is counted.
plugins=0
for block in $(grep -lE '^CAPE_(LAMBDA|SOURCE)\(' blocks/*.cpp); do
  id=$(sed -n 's/^CAPE_[A-Z]*([A-Za-z]*, "\([a-z_]*\)".*/\1/p' "$block")
  "${CXX:-c++}" -std=c++17 -shared -fPIC -fvisibility=hidden -I "$root/plugin_api/include" "$block" -o "plugins/$id.so" ||
    die "$block does not build"
  plugins=$((plugins + 1))
done
[ "$(ls plugins | tr '\n' ' ')" = "bulk.so greeter.so journalist.so minutes.so " ] ||
  die "the guide shows other plugins than this test looks at: $(ls plugins)"

# The lambda in Rust, and the one in Python with its config, where there is what they need.
rust= python=
if command -v rustc >/dev/null; then
  rustc --edition 2021 -O --crate-type rlib --crate-name cape -o libcape.rlib "$root/plugin_api/rust/cape.rs"
  rustc --edition 2021 -O --crate-type cdylib --crate-name rust_greeter --extern cape=libcape.rlib -o plugins/rust_greeter.so \
    "$(block_with cape::lambda! rust)" || die "the lambda in Rust does not build"
  rust=1
else echo "skipped: rustc is missing, so the lambda in Rust does not run"
fi
if [ -e /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0 ]; then
  mkdir lambdas
  cp "$(block_with 'def process(event)' python)" lambdas/hello.py
  python=1
else echo "skipped: libpython3.11 is missing, so the lambda in Python does not run"
fi

# The page's configs in one file: a topology for each lambda that the page gives none, and the clock from a minute ago.
{
  cat "$(block_with '[topology.greet]' toml)"
  sed -e '/^plugins/d' -e "s/^start .*/start = $(($(date +%s) / 60 - 1))/" "$(block_with '[topology.tick]' toml)"
  cat <<'TOML'
[topology.keep]
domain = "people"
[topology.keep.lambda.journalist]
plugin = "journalist"
grant  = { state = true }
[topology.many]
domain = "people"
[topology.many.lambda.bulk]
plugin = "bulk"
TOML
  [ -z "$rust" ] || printf '[topology.rust]\ndomain = "people"\n[topology.rust.lambda.greeter]\nplugin = "rust_greeter"\n'
  [ -z "$python" ] || sed '/^plugins/d' "$(block_with 'plugin = "python"' toml)"
} >cape.toml
"$cape" config check >/dev/null || die "the page's configs do not go together"
"$cape" append people ada --payload hello >/dev/null   # before the start: the first read finds both
"$cape" append people ada --type left >/dev/null
[ -z "$python" ] || "$cape" append guests eva --payload '{"name":"eva"}' >/dev/null
"$cape" up >up.out 2>up.err &
up=$!
until_true grep -qx ready up.out

all_done() { # at cursor 2 in each of the three topologies, or four
  [ "$("$cape" subject people ada --json | grep -o '"cursor": *2,[^}]*"state": *"done"' | wc -l)" = $((3 + ${rust:-0})) ]
}
until_true all_done
[ "$(grep -c 'good morning ada' up.err)" = 1 ] || die "the greeter did not greet ada once, and leave the one who left"
printf 'ada 1\nada 2\n' | cmp - data/state/keep/journalist/lines.txt || die "the journalist wrote something else"
lines_counted() { "$cape" status --json | grep -q '"lines": *2'; }
until_true lines_counted
ticked() { grep -q '"type": *"minute"' data/state/tick/write/*.jsonl; }
until_true ticked
[ -z "$rust" ] || grep -q 'hello ada' up.err || die "the greeter in Rust did not greet ada"
welcomed() { grep -q 'good morning eva' up.err; }
[ -z "$python" ] || until_true welcomed
echo "$((plugins + ${rust:-0} + ${python:-0})) plugins of the guide ran"
