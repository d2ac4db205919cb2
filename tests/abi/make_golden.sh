#!/usr/bin/env bash
# make_golden.sh: what a release of ABI 1 leaves behind in tests/abi/golden/MAJOR.MINOR, of the headers
# beside it: the plugins of golden/*.c as their author would have built them, and the ABI as abidw writes it
# (abi.xml). Run it once for a release and commit what it made. An older release's directory is never made anew:
# its plugins are what people have built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
api=$here/../../plugin_api
number() { sed -n "s/^#define CAPE_ABI_$1 \([0-9]*\)$/\1/p" "$api/include/cape/plugin.h"; }
machine=$(uname -m)
release=$here/golden/$(number MAJOR).$(number MINOR)
[ ! -e "$release" ] || {
  echo "make_golden: $release is there; released files are not made anew" >&2
  exit 1
}
mkdir -p "$release"
for name in lambda source; do
  "${CC:-cc}" -std=c99 -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -ffreestanding -fno-builtin -fno-tree-loop-distribute-patterns \
    -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -shared -s -Wl,--version-script="$api/plugin.map" \
    -Wl,-z,noseparate-code -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--build-id=none \
    -I "$api/include" "$here/golden/$name.c" -o "$release/golden_$name.$machine.so"
done
"$here/probe.sh" "$api/include" "$release/probe.so"
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$release/abi.xml" "$release/probe.so"
rm "$release/probe.so"
ls -l "$release"
