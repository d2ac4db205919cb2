#!/usr/bin/env bash
# abidiff_test.sh: compares the ABI of plugin_api with every release in golden/, as abidiff sees it: nothing that was
# released may differ, growth at the end of a table may. First it shows, on copies of the headers, that each kind of
# break is found and that growth is not called one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
api=$here/../../plugin_api/include
for tool in abidiff abidw; do
  command -v $tool >/dev/null || { echo "skipped: $tool is missing; ./run deps installs abigail-tools"; exit 77; }
done
[ "$(uname -m)" = x86_64 ] || { echo "skipped: the released ABI is written down for x86_64"; exit 77; }
work=$(mktemp -d /tmp/cape-abi-XXXXXX)
trap 'rm -rf "$work"' EXIT
die() {
  printf 'abidiff_test: %s\n' "$*" >&2
  exit 1
}

# compare INCLUDE_DIR RELEASED.xml: succeeds if a plugin of that release finds in these headers what it was built for.
compare() {
  "$here/probe.sh" "$1" "$work/probe.so" || die "the probe of $1 does not compile"
  abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$work/new.xml" "$work/probe.so"
  python3 "$here/as_released.py" "$2" "$work/new.xml" "$work/cut.xml"
  abidiff --no-added-syms "$2" "$work/cut.xml" >"$work/report" 2>&1
}

# edited SED_EXPRESSION FILE: a copy of the headers with that edit, in $work/edited.
edited() {
  rm -rf "$work/edited"
  cp -r "$api" "$work/edited"
  sed -i "$1" "$work/edited/cape/$2"
  ! cmp -s "$api/cape/$2" "$work/edited/cape/$2" || die "the edit '$1' finds nothing in $2 any more: mend this test"
}
newest=$(ls -d "$here"/golden/[0-9]*/ | sort -V | tail -n 1)abi.xml
breaks() { # WHAT SED_EXPRESSION FILE
  edited "$2" "$3"
  ! compare "$work/edited" "$newest" || die "$1 is not found"
}
allowed() { # WHAT SED_EXPRESSION FILE
  edited "$2" "$3"
  compare "$work/edited" "$newest" || { cat "$work/report" >&2; die "$1 is called a break"; }
}

host_grows='s/^} cape_host;/  void (*later)(void);\n} cape_host;/'
allowed "a function behind the last one of cape_host" "$host_grows" plugin.h
allowed "a field behind the last one of cape_event" 's/^} cape_event;/  uint64_t later;\n} cape_event;/' plugin.h
breaks "a field of a struct that lies in arrays" 's/^} cape_source_query;/  uint64_t later;\n} cape_source_query;/' plugin.h
breaks "a field of a struct that lies in others" 's/^} cape_bytes;/  uint64_t later;\n} cape_bytes;/' plugin.h
breaks "a longer manifest" 's/^} cape_note;/  uint64_t later;\n} cape_note;/' plugin.h
breaks "a function between others" 's/^  void (\*destroy)(void \*self);/  void (*early)(void);\n&/' plugin.h
breaks "a function that went" '/^  void (\*heartbeat)/d' plugin.h
breaks "a narrower field" 's/uint32_t attempt;/uint16_t attempt;/' plugin.h
breaks "a sign that changed" 's/uint64_t fence;/int64_t fence;/' plugin.h
breaks "two fields that changed places" 's/cape_bytes domain, subject, type/cape_bytes subject, domain, type/' plugin.h
breaks "another argument of a function" 's/uint32_t event_index, cape_bytes output/uint64_t event_index, cape_bytes output/' plugin.h
breaks "a wider status" 's/^typedef int32_t cape_status/typedef int64_t cape_status/' plugin.h
breaks "a change in a struct that grows as well" "$host_grows;s/int32_t kind);/int64_t kind);/" plugin.h
breaks "another argument of a function of libcape-ping" '/cape_ping_wait/,/;/s/int64_t hint/int32_t hint/' ping.h

for release in "$here"/golden/[0-9]*/; do
  compare "$api" "${release}abi.xml" || {
    cat "$work/report" >&2
    die "plugins built for ABI $(basename "$release") would not find what they were built for: take the change back, or add beside what is there"
  }
  echo "ok: ABI $(basename "$release") is kept"
done
