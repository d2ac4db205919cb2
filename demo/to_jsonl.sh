#!/bin/sh
# history.tsv.gz as the lines that `cape append DOMAIN --jsonl -` reads, on stdout.
set -eu
gzip -dc "${1:-$(dirname "$0")/history.tsv.gz}" | LC_ALL=C awk -F '\t' '
  BEGIN { for (i = 1; i < 32; i++) control[sprintf("%c", i)] = sprintf("\\u%04x", i) }
  function text(s,   out, i, c) {
    gsub(/["\\]/, "\\\\&", s)
    if (s !~ /[\001-\037]/) return "\"" s "\""
    for (i = 1; i <= length(s); i++) { c = substr(s, i, 1); out = out (c in control ? control[c] : c) }
    return "\"" out "\""
  }
  NF != 5 { printf "to_jsonl: line %d has %d fields, not 5\n", NR, NF > "/dev/stderr"; exit 1 }
  { printf "{\"subject\":%s,\"sequence\":%s,\"time_ns\":%s000000000,\"type\":%s,\"payload\":%s}\n",
      text($1), $2, $3, text($4), text($5) }'
