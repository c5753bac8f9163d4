#!/usr/bin/env bash
# The runner's memory is bounded whatever the size of the dump: through gzip and age into a folder and back, its peak of
# resident memory stays under 48 MiB. MEMORY_TEST_GIB (default 1) is the size of the dump; 20 is the promise in full, and
# needs some minutes and 10 GB of disk.
. "${BASH_SOURCE%/*}/lib.sh"

gib=${MEMORY_TEST_GIB:-1} limit_kib=$((48 * 1024))
age-keygen -o "$work/key" 2>/dev/null
recipient=$(age-keygen -y "$work/key")

# A quarter that does not compress, and text that does: made once, printed again and again.
{ noise 4194304; seq 1000000 2572863; } | head -c 16777216 >"$work/block"
dump=(sh -c 'i=0; while [ $i -lt "$2" ]; do cat "$1"; i=$((i + 1)); done' sh "$work/block" $((gib * 64)))

# watch_peak: the highest VmHWM of the runners of `pid` in KiB, as peak_kib, until it ends; then as `run` leaves it.
watch_peak() {
  local begin runner now_kib
  begin=$(now_ms) peak_kib=0
  while kill -0 "$pid" 2>/dev/null; do
    for runner in $(pgrep -P "$pid" -f "$work/bin/backup-runner"); do
      now_kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$runner/status" 2>/dev/null)
      [ "${now_kib:-0}" -le "$peak_kib" ] || peak_kib=$now_kib
    done
    sleep 0.05
  done
  wait "$pid"
  status=$?
  elapsed_ms=$(($(now_ms) - begin))
}
check_peak() {
  [ "$peak_kib" -gt 1024 ] || problem "its memory was not seen"
  [ "$peak_kib" -lt "$limit_kib" ] || sanitized || problem "its peak was $peak_kib KiB, more than $limit_kib"
}

start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --recipient "$recipient" -o json -- "${dump[@]}"
watch_peak
check_status 0
check_peak
grep -q "\"plainBytes\":$((gib << 30))," "$work/out" || problem "it is not $gib GiB"
sum=$(grep -o '"sha256Plain":"[0-9a-f]*' "$work/out" | cut -d '"' -f 4)
check_gone
conclude "$gib GiB through gzip and age into a folder: at most $peak_kib KiB, in $elapsed_ms ms, $(stat -c %s "$store/k") bytes stored"

start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --identity "$work/key" \
  -- sh -c 'sha256sum >"$1"' sh "$work/sum"
watch_peak
check_status 0
check_peak
[ "$(cut -d ' ' -f 1 "$work/sum")" = "$sum" ] || problem "other data came back"
check_gone
conclude "$gib GiB back from the folder through age and gzip: at most $peak_kib KiB, in $elapsed_ms ms"

start verify "${storage[@]}" "${common[@]}" --key k --identity "$work/key"
watch_peak
check_status 0
check_peak
conclude "$gib GiB verified: at most $peak_kib KiB, in $elapsed_ms ms"
