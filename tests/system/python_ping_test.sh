#!/usr/bin/env bash
# python_ping_test.sh CAPE PING_PY: the example client, written from docs/protocol.md alone, against a running broker.
set -euo pipefail
cape=$1 example=$2
work=$(mktemp -d /tmp/cape-python-XXXXXX)
up=
trap '[ -z "$up" ] || { kill "$up" && wait "$up" || true; } 2>/dev/null; rm -rf "$work"' EXIT
die() {
  printf 'python_ping_test: %s\n' "$*" >&2
  [ ! -f "$work/up.err" ] || cat "$work/up.err" >&2
  exit 1
}

page=$(dirname "$example")/../protocol.md
[ "$(sed -n '/^```python$/,/^```$/p' "$page" | sed '1d;$d')" = "$(cat "$example")" ] ||
  die "docs/protocol.md shows another example than $example; copy it there"

/usr/bin/python3 -c 'import msgpack, zmq' || die "install python3-zmq and python3-msgpack (./run deps)"
printf '[domain.orders]\nsource = "journal"\n' >"$work/cape.toml"
"$cape" up --config "$work/cape.toml" >"$work/up.out" 2>"$work/up.err" &
up=$!
end=$((SECONDS + 30))
until grep -qx ready "$work/up.out"; do
  [ "$SECONDS" -lt "$end" ] || die "cape up was not ready within 30 s"
  sleep 0.05
done

ping() { /usr/bin/python3 "$example" "ipc://$work/data/run/ping.sock" "$@" 2>&1; }
said=$(ping orders order/17 42) || die "the ping failed: $said"
[ "$said" = "acknowledged " ] || die "expected 'acknowledged ', got '$said'"
said=$(ping nowhere order/17) && die "an unknown domain was acknowledged"
[[ $said == refused*nowhere* ]] || die "expected a refusal that names the domain, got '$said'"
said=$(ping orders '') && die "an empty subject was acknowledged"
[[ $said == refused*subject* ]] || die "expected a refusal that names the subject, got '$said'"
