#!/usr/bin/env bash
# Whoever is killed, at whatever moment: no object that is not whole, no process that lives on, no restore whose command
# took a part for all. KILL_ROUNDS (default 20) is how often the runner is killed in a backup and in a restore each.
. "${BASH_SOURCE%/*}/lib.sh"

rounds=${KILL_ROUNDS:-20}
RANDOM=${KILL_SEED:-1}
noise 20000000 >"$work/data"

runner_pid() { pgrep -P "$pid" -f "$work/bin/backup-runner" | head -n 1; }
wait_for_runner() { while kill -0 "$pid" 2>/dev/null && [ -z "$(runner_pid)" ]; do sleep 0.01; done; }
finish() {
  wait "$pid"
  status=$?
}
pause() { sleep "$(printf '0.%03d' "$1")"; }

# How long the two take undisturbed: the moments of death are spread over that.
backup --compress none -- cat "$work/data"
backup_ms=$elapsed_ms
restore -- "${reader[@]}"
restore_ms=$elapsed_ms
check_status 0
conclude "undisturbed, a backup takes $backup_ms ms, a restore $restore_ms ms"

# A moment in [0, 1.2 * $1), under a second.
moment() { local ms=$((RANDOM % ($1 * 12 / 10))); echo $((ms > 999 ? 999 : ms)); }

# ---- the runner is killed in a backup: either it fails and nothing is left, or it had committed, and is right

for ((round = 0; round < rounds; round++)); do
  rm -rf "$store"/k "$store/.backup-operator" "$work/state/records"
  start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --compress none -- cat "$work/data"
  wait_for_runner
  pause "$(moment "$backup_ms")"
  victim=$(runner_pid)
  [ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
  finish
  check_gone
  if [ "$status" -eq 0 ]; then
    cmp -s "$work/data" "$store/k" || problem "it says success, but the object is not the data"
  else
    check_status 1
    check_said 'FAILED k: runner: backup-runner was ended by signal 9'
    check_no_key
    left=$(find "$store" -type f)
    [ -z "$left" ] || problem "left in the storage: $left"
  fi
  [ -z "$(ls "$work/tmp")" ] || problem "a working folder is left"
  [ -z "$problems" ] || break
done
conclude "the runner is killed at $rounds random moments of a backup"

# ---- in a restore: the command never sees the end of its input, unless all was proven and it had all

rm -rf "$store"/k "$store/.backup-operator"
backup --compress none -- cat "$work/data"
for ((round = 0; round < rounds; round++)); do
  rm -f "$eof" "$work/copy"
  start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK \
    -- sh -c 'cat >"$1" && : >"$2"' sh "$work/copy" "$eof"
  sleep 0.02 # the first runner only asks for the object's size
  wait_for_runner
  pause "$(moment "$restore_ms")"
  victim=$(runner_pid)
  [ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
  finish
  check_gone
  if [ -e "$eof" ] || [ "$status" -eq 0 ]; then
    cmp -s "$work/data" "$work/copy" || problem "the command took a part for the whole"
  fi
  [ "$status" -eq 0 ] || check_said 'FAILED k: (runner|storage): |backupctl: '
  [ -z "$(ls "$work/tmp")" ] || problem "a working folder is left"
  [ -z "$problems" ] || break
done
conclude "the runner is killed at $rounds random moments of a restore"

# ---- the same with a command that only ends when its input does, so that every death is in the middle

for ((round = 0; round < 3; round++)); do
  rm -f "$eof"
  start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK \
    -- sh -c 'head -c 1000000 >/dev/null; : >"$2"; sleep 1; cat >/dev/null && : >"$1"' sh "$eof" "$work/started"
  while [ ! -e "$work/started" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
  rm -f "$work/started"
  kill -KILL "$(runner_pid)"
  finish
  check_status 1
  check_said 'FAILED k: runner: backup-runner was ended by signal 9'
  check_gone
  check_no_eof
  [ -z "$(ls "$work/tmp")" ] || problem "a working folder is left"
done
conclude "the runner is killed while the command reads"

# ---- backupctl itself is killed: the runner notices that its owner is gone

rm -rf "$store"/k "$store/.backup-operator"
remember_files
start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --compress none \
  -- sh -c 'cat "$1"; : >"$2"; sleep 600' sh "$work/data" "$work/started"
while [ ! -e "$work/started" ]; do sleep 0.01; done
rm "$work/started"
[ "$(left_processes | sort -u | wc -l)" -ge 4 ] || problem "the test does not see the processes that it should"
kill -KILL "$pid"
finish 2>/dev/null
check_gone 10
check_files
conclude "backupctl is killed in a backup"

start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --compress none -- cat "$work/data"
pause 50
kill -KILL "$pid"
finish 2>/dev/null
check_gone 10
[ ! -e "$store/k" ] || cmp -s "$store/k" "$work/data" || problem "an object that is not whole"
conclude "backupctl is killed in the beginning of a backup"

backup --compress none -- cat "$work/data"
rm -f "$eof"
start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK \
  -- sh -c 'head -c 1000000 >/dev/null; : >"$2"; sleep 1; cat >/dev/null && : >"$1"' sh "$eof" "$work/started"
while [ ! -e "$work/started" ]; do sleep 0.01; done
rm "$work/started"
kill -KILL "$pid"
finish 2>/dev/null
check_gone 10
check_no_eof
conclude "backupctl is killed in a restore"

# ---- everything of a run but the supervisor is killed at once: nobody is left to see to it but that

rm -f "$eof"
start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK \
  -- sh -c 'head -c 1000000 >/dev/null; : >"$2"; sleep 1; cat >/dev/null && : >"$1"' sh "$eof" "$work/started"
while [ ! -e "$work/started" ]; do sleep 0.01; done
rm "$work/started"
kill -KILL "$pid" "$(runner_pid)"
finish 2>/dev/null
check_gone 10
check_no_eof
rm -rf "$work"/tmp/*
conclude "backupctl and the runner are killed in a restore"

# ---- interrupted: politely, then by force

rm -rf "$store"/k "$store/.backup-operator"
for signal in INT TERM HUP; do
  remember_files
  start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --compress none \
    -- sh -c 'cat "$1"; : >"$2"; sleep 600' sh "$work/data" "$work/started"
  while [ ! -e "$work/started" ]; do sleep 0.01; done
  rm "$work/started"
  begin=$(now_ms)
  kill -"$signal" "$pid"
  finish
  elapsed_ms=$(($(now_ms) - begin))
  check_status 130
  check_said 'FAILED k: owner: interrupted'
  check_within 6000
  check_gone
  check_files
  conclude "SIG$signal ends a backup, with exit status 130"
done

start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK --compress none --grace 60s \
  -- sh -c 'trap "" TERM; cat "$1"; : >"$2"; while :; do sleep 1; done' sh "$work/data" "$work/started"
while [ ! -e "$work/started" ]; do sleep 0.01; done
rm "$work/started"
kill -INT "$pid"
sleep 0.5
kill -0 "$pid" 2>/dev/null || problem "it did not wait for the grace period"
begin=$(now_ms)
kill -INT "$pid"
finish
elapsed_ms=$(($(now_ms) - begin))
check_status 130
check_said 'ended by force'
check_within 10000
check_gone 5
[ -z "$(find "$store" -type f)" ] || problem "something is left in the storage"
rm -rf "$work"/tmp/*
conclude "interrupted twice: at once, whatever the grace period"

backup --compress none -- cat "$work/data"
rm -f "$eof"
remember_files
start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK \
  -- sh -c 'head -c 1000000 >/dev/null; : >"$2"; sleep 1; cat >/dev/null && : >"$1"' sh "$eof" "$work/started"
while [ ! -e "$work/started" ]; do sleep 0.01; done
rm "$work/started"
kill -INT "$pid"
finish
check_status 130
check_gone
check_no_eof
check_files
conclude "SIGINT ends a restore, and the command does not see the end of its stdin"
