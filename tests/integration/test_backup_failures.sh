#!/usr/bin/env bash
# A backup whose command does anything but print everything and exit with status 0 stores nothing.
. "${BASH_SOURCE%/*}/lib.sh"

backup_fails "a command that exits with status 1 after its output" 1 'FAILED k: command: .*exited with status 1' \
  -- sh -c 'echo data; echo reason >&2; exit 1'
grep -q '| reason' "$work/err" || problem "the command's stderr is not shown"
conclude "its last words on stderr are shown"

backup_fails "a command that exits with status 1 after much output" 1 'FAILED k: command: .*exited with status 1' \
  -- sh -c 'head -c 30000000 /dev/zero; exit 1'

backup_fails "a command that is killed" 1 'FAILED k: command: .*signal 9 \(KILL\)' -- sh -c 'echo data; kill -KILL $$'

backup_fails "a command that is not there" 1 'FAILED k: (command|platform): .*no-such-command' -- no-such-command

backup_fails "a command that closes stdout early and lives on" 1 'FAILED k: command: the deadline of 2 s' \
  --deadline 2s -- sh -c 'echo data; exec >&-; sleep 600'

backup_fails "a command that sleeps past its deadline" 1 'FAILED k: command: the deadline of 1 s' \
  --deadline 1s -- sh -c 'echo data; sleep 600'

backup_fails "a command that sleeps past its deadline and ignores SIGTERM" 1 'FAILED k: command: the deadline of 1 s' \
  --deadline 1s -- sh -c 'trap "" TERM; echo data; while :; do sleep 600; done'

backup_fails "a command that writes past its deadline" 1 'FAILED k: command: the deadline of 1 s' \
  --deadline 1s -- sh -c 'yes'

backup_fails "a command that leaves a daemon behind that holds stdout" 1 'FAILED k: command: .*still holds its standard output' \
  -- sh -c 'echo data; setsid sleep 600 & exit 0'

backup_fails "a command that writes 64 MB to stderr and fails" 1 'FAILED k: command: .*exited with status 3' \
  -- sh -c 'echo data; yes error | head -c 67108864 >&2; echo >&2; echo the end >&2; exit 3'
grep -q '| the end' "$work/err" && [ "$(wc -c <"$work/err")" -lt 12000 ] ||
  problem "stderr is not shown as its last 4 KiB"
conclude "of 64 MB of stderr the last 4 KiB are shown"

backup -- sh -c 'yes error | head -c 67108864 >&2; echo data'
check_status 0
check_gone
[ "$(gunzip <"$store/k")" = data ] || problem "the object does not hold the data"
conclude "a command that writes 64 MB to stderr and succeeds"

cp "$store/k" "$work/before"
backup_fails "a failed backup leaves the object that is at its key" 1 'exited with status 1' \
  -- sh -c 'echo other; exit 1'
cmp "$work/before" "$store/k" || problem "it was changed"
conclude "the older object is unchanged"

backup -- sh -c 'echo data; setsid sleep 600 >/dev/null 2>&1 & exit 0'
check_status 0
check_gone
conclude "a daemon that does not hold stdout is ended with its workload, and the backup succeeds"

backup --compress none -- true
check_status 0
[ -f "$store/k" ] && [ ! -s "$store/k" ] || problem "it is not an empty object"
conclude "a command without output makes an empty object"

run backup "${storage[@]}" "${common[@]}" --key j --env BO_TEST_MARK -- cat
check_status 0
[ "$(gunzip <"$store/j" | wc -c)" -eq 0 ] || problem "its input was not empty"
conclude "a backup's command finds its stdin empty"
