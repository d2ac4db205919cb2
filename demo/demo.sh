#!/usr/bin/env bash
# The demo's story: demo.sh BIN_DIR DATA_DIR. Ends 0 when every event reached all topologies.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$1
data=$2
topologies=3
paced_per_s=1000
paced_s=5
stall_s=30  # without one event done
searched_for=backoff
export CAPE_CONFIG=$here/cape.toml
cape=$bin/cape
log=$data.log
up_pid=
started_s=$SECONDS

step() { printf '== %s\n' "$*"; }

# die WHAT NEXT
die() {
  printf 'demo: %s\ndemo: next: %s\n' "$1" "$2" >&2
  exit 1
}

stop_up() {
  [ -n "$up_pid" ] || return 0
  kill -TERM "$up_pid" 2>/dev/null || true
  wait "$up_pid" && up_status=0 || up_status=$?
  up_pid=
}
trap stop_up EXIT

now_ms() { printf '%s' "$((${EPOCHREALTIME/[.,]/} / 1000))"; }

# number NAME of the text that `cape status` printed last; 0 without it
number() { awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }' <<<"$status"; }

# microseconds NAME: the same, without the fraction
microseconds() { number "$1" | awk '{ printf "%.0f us", $1 }'; }

read_status() {
  status=$("$cape" status 2>&1) && return
  kill -0 "$up_pid" 2>/dev/null || die "cape up ended; its last words: $(tail -n 3 "$log")" "see $log"
  die "cape status failed: $status" "see $log"
}

refuse_bare_sandbox() {
  die "the kernel allows less than sandbox level C here, and below it the demo runs no plugins" \
    "see the missing layers above: allow user namespaces, landlock and seccomp"
}

# wait_for EVENTS: until so many are done in all topologies, with progress once a second
wait_for() {
  local wanted=$1 done_events=0 before shown_s=-1 end_s=$((SECONDS + stall_s))
  while read_status; do
    before=$done_events
    done_events=$(number events_done)
    [ "$done_events" = "$before" ] || end_s=$((SECONDS + stall_s))
    if [ "$SECONDS" -ne "$shown_s" ] || [ "$done_events" -ge "$wanted" ]; then
      printf '   %7d / %d events done\n' "$done_events" "$wanted"
      shown_s=$SECONDS
    fi
    [ "$done_events" -lt "$wanted" ] || return 0
    if [ "$SECONDS" -ge "$end_s" ]; then
      "$cape" plugin list >&2 || true
      die "$done_events of $wanted events are done, and none in the last $stall_s s" "see $log"
    fi
    sleep 0.1
  done
}

# Before the history, so that what is counted and measured below is the history's alone.
index_files() {
  step "indexing this project's own files: topology search over domain 'files'"
  case $data in */demo-data) rm -rf -- "$data" "$log" ;; *) die "$data is not a demo-data directory" "./run demo" ;; esac
  "$cape" up --until-idle --timeout 30s >/dev/null 2>"$log" && return
  ! grep -m 2 'below the required level' "$log" >&2 || refuse_bare_sandbox
  die "the files were not indexed: $(tail -n 3 "$log")" "see $log"
}

load_history() {
  step "loading the history into the journal of domain 'history'"
  "$here/to_jsonl.sh" | "$cape" append history --jsonl - --no-ping || die "the history was not loaded" "see above"
  history=$(gzip -dc "$here/history.tsv.gz" | wc -l)
}

start_up() {
  step "starting cape up: topologies audit, ledger and audit_after, each with its own sandboxed child"
  local ready_pipe=$data/ready.fifo line=
  mkfifo "$ready_pipe"
  begun_ms=$(now_ms)
  "$cape" up >"$ready_pipe" 2>"$log" &
  up_pid=$!
  exec 3<"$ready_pipe"
  read -r -t 30 line <&3 || true
  rm -f "$ready_pipe"
  [ "$line" = ready ] || die "cape up did not get ready: $(tail -n 3 "$log")" "see $log"
}

run_history() {
  wait_for $((history * topologies))
  history_ms=$(($(now_ms) - begun_ms))
  history_jobs=$(number jobs_done)
  level=$(number sandbox_level)
  [[ $level = [AB] ]] || step "warning: the sandbox reaches level $level only, not B; missing: see 'cape plugin list' below"
}

run_paced() {
  step "appending $paced_per_s new events a second for $paced_s s"
  "$cape" status --reset-latency >/dev/null
  "$bin/cape-pace" history "$paced_per_s" "$paced_s" || die "cape-pace failed" "see above"
  wait_for $(((history + paced_per_s * paced_s) * topologies))
  read_status
}

summary() {
  local behind
  behind=$("$cape" topology list --json | grep -o '"behind":[0-9]*' | awk -F : '{ sum += $2 } END { print sum + 0 }')
  cat <<TEXT

   events               $((history + paced_per_s * paced_s)) appended, $(number events_done) done in $topologies topologies
   jobs                 $(number jobs_done) ($history_jobs for the history)
   events/s             $((history * topologies * 1000 / history_ms)) over the history, start of cape up included
   ping to start        p50 $(microseconds latency_us.p50), p95 $(microseconds latency_us.p95), p99 $(microseconds latency_us.p99) at $paced_per_s events/s
   failed attempts      $(number attempts_failed)
   subjects behind      $behind
   sandbox level        $level
   cape search $searched_for
$("$cape" search "$searched_for" --limit 1 2>&1 | sed 's/^/                        /')

TEXT
  [ "$level" != C ] || "$cape" plugin list
  [ "$behind" -eq 0 ] || die "$behind subjects are behind" "$cape topology list; see $log"
}

results() {
  step "done in $((SECONDS - started_s)) s; look at the results:"
  cat <<TEXT
   export CAPE_CONFIG=$CAPE_CONFIG
   ./run cape subject history src          how far is each topology?
   ./run cape topology list                what is behind or parked?
   head -n 3 $data/state/audit/write/*.jsonl
   ./run cape search 'order per subject'   full-text search in this project's files
   ./run up                                run it again; then ./run cape append history order/17 --type paid
TEXT
}

index_files
load_history
start_up
run_history
run_paced
summary
stop_up
[ "$up_status" -eq 0 ] || die "cape up ended with $up_status" "see $log"
results
