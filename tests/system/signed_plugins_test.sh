#!/usr/bin/env bash
# signed_plugins_test.sh CAPE ZOO_DIR: a host that wants signatures, as its operator meets it: keys, signing, a plugin that
# is taken in, and each way in which one is not.
set -euo pipefail
. "$(dirname "$0")/../needs_namespaces.sh"
cape=$1 zoo=$2
work=$(mktemp -d /tmp/cape-signed-XXXXXX)
up=
trap '[ -z "$up" ] || { kill "$up" && wait "$up" || true; } 2>/dev/null; rm -rf "$work"' EXIT
die() {
  printf 'signed_plugins_test: %s\n' "$*" >&2
  [ ! -f "$work/up.err" ] || tail -n 40 "$work/up.err" >&2
  exit 1
}
until_true() { # COMMAND...: a state of another process, 60 s at most
  local end=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "not within 60 s: $*"
    sleep 0.05
  done
}
refused() { # WHAT WORDS COMMAND...: fails, and says so in these words
  local what=$1 words=$2
  shift 2
  ! "$@" >"$work/out" 2>&1 || die "$what is not refused"
  grep -q -- "$words" "$work/out" || die "$what is refused without '$words': $(cat "$work/out")"
}
cd "$work"

# Keys: made once, and a secret is nobody else's.
"$cape" keys signing release --dir keys >out || die "no key is made: $(cat out)"
grep -q "trusted_keys = \[\"$(cat keys/release.public)\"\]" out || die "the next step is not shown: $(cat out)"
"$cape" keys signing foreign --dir keys >/dev/null
[ "$(stat -c %a keys/release.secret)" = 600 ] || die "others may read the secret"
refused "a second key of that name" "not overwritten" "$cape" keys signing release --dir keys
refused "a key called ../x" "not a name" "$cape" keys signing ../x --dir keys
refused "signing without a key" "cape keys signing" "$cape" plugin sign "$zoo/record.so"

mkdir plugins
cat >cape.toml <<TOML
plugins = ["plugins"]
require_signature = true
trusted_keys = ["$(cat keys/release.public)"]
[domain.history]
source = "journal"
[topology.seen]
domain = "history"
[topology.seen.lambda.record]
plugin = "record"
grant = { state = true }
TOML
"$cape" config check >out 2>&1 || die "the config is refused: $(cat out)"
"$cape" up >up.out 2>up.err &
up=$!
until_true grep -qx ready up.out

# Neither an unsigned plugin nor one of a foreign key, and each with its reason; then the signature comes.
aside() { # FILE WORDS: in `cape plugin list`
  "$cape" plugin list --json | python3 -c '
import json, sys
aside = json.load(sys.stdin)["set_aside"]
sys.exit(not any(one["file"].endswith("/" + sys.argv[1]) and sys.argv[2] in one["reason"] for one in aside))' "$1" "$2"
}
not() { ! "$@"; }
serves() { # ID VERSION SIGNED_BY
  "$cape" plugin list --json | python3 -c '
import json, sys
plugins = json.load(sys.stdin)["plugins"]
sys.exit(not any([one["id"], one["version"], one.get("signed_by"), one["state"]] == [*sys.argv[1:], "serving"] for one in plugins))' "$@"
}
"$cape" append history a >/dev/null
cp "$zoo/record.so" plugins/record.so
until_true aside record.so "there is no record.so.sig"
"$cape" plugin sign plugins/record.so --key keys/foreign.secret >/dev/null
until_true aside record.so "signed by key 'foreign'"
"$cape" plugin sign plugins/record.so --key keys/release.secret >/dev/null
until_true serves record 1.0.0 release
done_to() { "$cape" subject history a --json | grep -q "\"cursor\": *$1,.*\"state\": *\"done\""; }
until_true done_to 1
"$cape" plugin list | grep -q 'SIGNED BY' || die "cape plugin list does not say who signed"

# A signature that goes is told alike everywhere, and what runs goes on.
mv plugins/record.so.sig kept.sig
serves_on="there is no record.so.sig, .*; the same bytes, taken in before, serve on until the next start"
until_true grep -q "record.so is set aside: not signed: $serves_on" up.err
until_true grep -q "\"reason\": \"not signed: $serves_on" plugins/record.status.json
until_true aside record.so "there is no record.so.sig"
until_true aside record.so "taken in before, serve on until the next start"
serves record 1.0.0 release || die "what was taken in does not serve on"
mv kept.sig plugins/record.so.sig
until_true grep -q '"state": "serves"' plugins/record.status.json
until_true not aside record.so "not signed"

# One changed byte is refused, and what served goes on. The signature of another file is as good as none.
cp plugins/record.so changed.so
printf '\1' | dd of=changed.so bs=1 seek=$(($(stat -c %s changed.so) - 1)) conv=notrunc status=none
cmp -s changed.so plugins/record.so && die "the byte did not change"
mv changed.so plugins/record.so
until_true aside record.so "not of these bytes"
cp "$zoo/segv.so" plugins/segv.so
cp plugins/record.so.sig plugins/segv.so.sig
until_true aside segv.so "not of these bytes"
"$cape" append history a >/dev/null
until_true done_to 2
serves record 1.0.0 release || die "what was signed does not serve any more"
grep -q 'cape plugin sign' up.err || die "the log does not name the next step"
"$cape" plugin check "$zoo/record.so" --only S1 >/dev/null || die "a check needs no signature"
echo "ok"
