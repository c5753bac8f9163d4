#!/usr/bin/env bash
# The runner's memory does not depend on the size of the dump: MEMORY_TEST_GIB (default 1; `MEMORY_TEST_GIB=20` is the
# promise in full, and needs some minutes and little disk) through gzip into a folder and back, under 48 MiB resident.
. "${BASH_SOURCE%/*}/lib.sh"

gib=${MEMORY_TEST_GIB:-1}
limit_kib=$((48 * 1024))
bytes=$((gib << 30))

# Numbered copies of a text: no two blocks are the same, it compresses well, and it comes as fast as a pipe takes it.
cat >"$work/generate" <<'PYTHON'
import sys
total = int(sys.argv[1])
block = bytearray(b"".join(b"%08d a line of a dump, as it may be\n" % i for i in range(1 << 15)))
for number in range(total // len(block) + 1):
    block[:8] = b"%08d" % number
    sys.stdout.buffer.write(block[:total])
    total -= len(block)
    if total <= 0:
        break
PYTHON

# measure: while `pid` lives, the highest VmHWM of its runners, into `peak_kib`.
measure() {
  local now runner
  peak_kib=0
  while kill -0 "$pid" 2>/dev/null; do
    for runner in $(pgrep -P "$pid"); do
      now=$(awk '/^VmHWM:/ { print $2 }' "/proc/$runner/status" 2>/dev/null)
      [ "${now:-0}" -le "$peak_kib" ] || peak_kib=$now
    done
    sleep 0.1
  done
  wait "$pid"
  status=$?
}

check_memory() {
  [ "$peak_kib" -gt 0 ] || problem "nothing was measured"
  sanitized || [ "$peak_kib" -lt "$limit_kib" ] || problem "the runner's peak was $peak_kib KiB, more than $limit_kib"
}

begin=$SECONDS
start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK -- python3 "$work/generate" "$bytes"
measure
check_status 0
check_memory
grep -q "plain   $bytes bytes" "$work/out" || problem "it did not store $bytes bytes"
conclude "a backup of $gib GiB: peak $peak_kib KiB, $((SECONDS - begin)) s, stored $(stat -c %s "$store/k" 2>/dev/null) bytes"

begin=$SECONDS
start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK -- sh -c 'test "$(wc -c)" = "$1"' sh "$bytes"
measure
check_status 0
check_memory
conclude "its restore: peak $peak_kib KiB, $((SECONDS - begin)) s"

# A bomb: what it grows to is nobody's memory.
head -c "$((bytes / 4))" /dev/zero | gzip -9 >"$store/bomb"
start verify "${storage[@]}" --no-record --key bomb
measure
check_status 0
check_memory
conclude "a file that grows by a factor of a thousand: peak $peak_kib KiB"
