#!/usr/bin/env bash
# rust_layout_test.sh RUSTC SOURCE_DIR: every struct, field and number that the Rust bindings have is as layout.txt says,
# and of a struct that they have no field is missing.
set -euo pipefail
rustc=$1 root=$2
work=$(mktemp -d /tmp/cape-rust-XXXXXX)
trap 'rm -rf "$work"' EXIT
"$rustc" --edition 2021 -D warnings --crate-type rlib --crate-name cape -o "$work/libcape.rlib" "$root/plugin_api/rust/cape.rs"
"$rustc" --edition 2021 -D warnings --extern cape="$work/libcape.rlib" -o "$work/layout" "$root/tests/languages/rust_layout.rs"
"$work/layout" | sort >"$work/rust"
[ "$(wc -l <"$work/rust")" -gt 90 ] || { echo "rust_layout_test: the bindings printed too little" >&2; exit 1; }
# Of layout.txt: the structs that Rust names, whole, and the numbers that it has.
awk 'NR == FNR { split($1, part, "."); wanted[part[1]] = 1; next } { split($1, part, "."); if (part[1] in wanted) print }' \
  "$work/rust" "$root/tests/abi/layout.txt" | sort >"$work/c"
diff "$work/c" "$work/rust" || {
  echo "rust_layout_test: < is tests/abi/layout.txt, > is plugin_api/rust/cape.rs: mend the bindings" >&2
  exit 1
}
echo "$(wc -l <"$work/rust") lines are equal"
