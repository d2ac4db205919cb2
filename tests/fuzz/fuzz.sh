#!/usr/bin/env bash
# fuzz.sh FUZZER CORPUS SECONDS: every file of the corpus, then new bytes made from them for so long. What libFuzzer
# finds interesting goes to a directory that ends with the run: the corpus holds only what somebody put there.
set -euo pipefail
fuzzer=$1 corpus=$2 seconds=$3

if [ ! -x "$fuzzer" ]; then
  echo "$fuzzer is not built; next: ./run build fuzz fuzz_tests" >&2
  exit 1
fi
if [ -z "$(ls "$corpus")" ]; then
  echo "$corpus holds no input; next: put a real one there" >&2
  exit 1
fi

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
crash=$(dirname "$fuzzer")/../crash/$(basename "$fuzzer")-
mkdir -p "$(dirname "$crash")"

status=0
"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
  -artifact_prefix="$crash" "$found" "$corpus" || status=$?
if [ "$status" -ne 0 ]; then
  echo "the bytes lie in $crash*; next: $fuzzer $crash...; once mended, keep them in $corpus" >&2
fi
exit "$status"
