#!/usr/bin/env bash
# probe.sh INCLUDE_DIR OUT.so: builds the probe library of the headers in INCLUDE_DIR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${CC:-cc}" -std=gnu99 -g -O0 -ffile-prefix-map="$here/=" -fPIC -shared -I "$1" "$here/probe.c" -o "$2"
