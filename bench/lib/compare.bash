# bench/lib/compare.bash - two ways to do the same thing, side by side: sourced by bench/run.
#
#   bench_begin MEBIBYTES RUNS        builds the helpers, makes the data; sets work, data
#   bench_compare NAME OURS PEER      two shell commands; runs them alternately and adds two rows to the table
#   bench_end                         prints the table
#
# A command that fails ends the whole benchmark: a figure of something that did not work is worth nothing.

bench_fail() {
  echo "bench: $*" >&2
  exit 1
}

bench_begin() {
  mebibytes=$1 runs=$2 load_before=$(cut -d' ' -f1-3 /proc/loadavg)
  work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/backup-operator-bench-XXXXXX") || exit 1
  trap 'rm -rf "$work"' EXIT
  data=$work/dump.sql
  local name
  for name in measure dump; do
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$work/$name" "bench/lib/$name.c" || exit 1
  done
  echo "making $mebibytes MiB of data in $work" >&2
  "$work/dump" "$mebibytes" >"$data" || exit 1
  : >"$work/rows"
}

# bench_once COMMAND FILE: appends "wall cpu KiB" to FILE.
bench_once() {
  "$work/measure" "$work/result" bash -o pipefail -c "$1" >"$work/log" 2>&1 </dev/null ||
    { cat "$work/log" >&2; bench_fail "failed: $1"; }
  cat "$work/result" >>"$2"
}

# bench_median COLUMN FILE
bench_median() {
  awk -v column="$1" '{ print $column }' "$2" | sort -n |
    awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

bench_row() {
  local wall cpu kib
  wall=$(bench_median 1 "$2") cpu=$(bench_median 2 "$2") kib=$(bench_median 3 "$2")
  awk -v name="$1" -v bytes="$(stat -c %s "$data")" -v wall="$wall" -v cpu="$cpu" -v kib="$kib" \
    -v low="$(sort -n "$2" | awk 'NR == 1 { print $1 }')" -v high="$(sort -n "$2" | awk 'END { print $1 }')" \
    'BEGIN { printf "| %s | %.0f MiB/s | %.2f s (%.2f to %.2f) | %.2f s | %.1f MiB |\n",
             name, bytes / 1048576 / wall, wall, low, high, cpu, kib / 1024 }' >>"$work/rows"
}

# The peer's cost divided by ours: above 1 is in our favour. Memory has no such line: ours is a fixed amount.
bench_ratio() {
  awk -v wall="$(bench_median 1 "$3")" -v our_wall="$(bench_median 1 "$2")" -v cpu="$(bench_median 2 "$3")" \
    -v our_cpu="$(bench_median 2 "$2")" -v name="$1" \
    'BEGIN { printf "| %s: ratio | %.2f times the peer | | %.2f times the CPU | |\n", name, wall / our_wall,
             our_cpu / cpu }' >>"$work/rows"
}

bench_compare() {
  local name=$1 ours=$2 peer=$3 run
  : >"$work/ours" && : >"$work/peer"
  for ((run = 1; run <= runs; run++)); do
    echo "$name: run $run of $runs" >&2
    if ((run % 2)); then
      bench_once "$ours" "$work/ours"
      bench_once "$peer" "$work/peer"
    else
      bench_once "$peer" "$work/peer"
      bench_once "$ours" "$work/ours"
    fi
  done
  bench_row "$name: backup-operator" "$work/ours"
  bench_row "$name: by hand" "$work/peer"
  bench_ratio "$name" "$work/ours" "$work/peer"
}

bench_end() {
  cat <<TABLE
$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, Linux $(uname -r), $(gzip --version | head -n 1)
$mebibytes MiB of a dump's text; medians of $runs alternating runs; load average before: $load_before

| | throughput (plain data) | time (fastest to slowest) | CPU of all processes | memory of the largest process |
| --- | --- | --- | --- | --- |
$(cat "$work/rows")
TABLE
}
