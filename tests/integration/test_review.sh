#!/usr/bin/env bash
# What a careful reader tried in order to be told something untrue: options that would have been ignored, proofs that
# nobody had, files that were not to be replaced, waits without an end.
. "$(dirname "$0")/lib.sh"
use_faulty_plugins

# ---- an option without a meaning is refused, not ignored

echo 'a passphrase' >"$work/pass"
# refused TEXT PATTERN ARG...
refused() {
  local text=$1 pattern=$2
  shift 2
  remember_files
  run "$@"
  check_status 2
  check_said "$pattern"
  check_files
  conclude "$text"
}
refused "a backup with a passphrase, which would be in the clear" 'backup takes no --passphrase-file' \
  backup "${storage[@]}" "${common[@]}" --key k --passphrase-file "$work/pass" -- echo data
refused "a backup with an identity" 'backup takes no --identity' \
  backup "${storage[@]}" "${common[@]}" --key k --identity "$work/pass" -- echo data
refused "a restore with a recipient" 'restore takes no --recipient' \
  restore "${storage[@]}" "${common[@]}" --key k --recipient age1x -- cat
refused "sweep of all, where one key was meant" 'sweep takes no --key' sweep "${storage[@]}" --key k

cat >"$work/run.yaml" <<END
apiVersion: backup-operator.io/v1
kind: BackupStorage
metadata: {name: here}
spec: {type: file, parameters: {path: "$store"}}
---
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata: {name: one, namespace: default}
spec:
  storage: {name: here, path: /one}
  backup: {command: [echo, data]}
  template: {spec: {containers: [{name: main}]}}
END
for option in '--recipient age1x' '--compress none' '--key k' '--env A=B' '--no-record'; do
  refused "-f and $option" "with -f .* no place for ${option% *}" backup -f "$work/run.yaml" "${common[@]}" $option
done
refused "-f and a command" 'no place for a command' backup -f "$work/run.yaml" "${common[@]}" -- echo data

# ---- -o FILE: what it may replace, and when

echo data >"$work/data"
backup -- cat "$work/data"
conclude "a backup to read"
# cat_to FILE: `backupctl cat` of it.
cat_to() { run cat "${storage[@]}" "${common[@]}" --key k -o "$1"; }

if mknod "$work/device" c 1 3 2>/dev/null; then
  cat_to "$work/device"
  check_status 2
  check_said 'no regular file'
  [ -c "$work/device" ] || problem "the device was replaced"
  conclude "-o DEVICE: it is left alone"
fi
ln -s nowhere "$work/dangling"
cat_to "$work/dangling"
check_status 2
check_said 'link to nowhere'
conclude "-o LINK to nowhere"

echo old >"$work/old" && chmod 640 "$work/old" && ln -s old "$work/link"
cat_to "$work/link"
check_status 0
[ -L "$work/link" ] || problem "the link was replaced"
cmp -s "$work/data" "$work/old" || problem "the file behind the link is not the data"
[ "$(stat -c %a "$work/old")" = 640 ] || problem "its mode is $(stat -c %a "$work/old")"
conclude "-o LINK: the file behind it is replaced, and keeps its mode"

gzip -c "$work/data" >"$work/object"
TMPDIR=$work/tmp "$work/bin/backupctl" decode -o "$work/object" <"$work/object" >"$work/out" 2>"$work/err"
status=$?
check_status 2
check_said 'it is the input, too'
gunzip -c "$work/object" | cmp -s - "$work/data" || problem "the object was replaced"
conclude "decode -o of its own input"

mkdir "$work/target"
TMPDIR=$work/tmp "$work/bin/backupctl" decode -o "$work/target/file" < <(cat "$work/object" && sleep 60) >"$work/out" 2>"$work/err" &
pid=$!
sleep 0.7
[ -z "$(ls -A "$work/target")" ] || problem "something is to be seen before the end: $(ls -A "$work/target")"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
[ -z "$(ls -A "$work/target")" ] || problem "something is left: $(ls -A "$work/target")"
check_gone 10
conclude "decode -o, killed: nothing is left, not even under another name"

# The name is taken by a folder meanwhile: the file cannot appear, and there must be no success.
mkfifo "$work/input"
TMPDIR=$work/tmp "$work/bin/backupctl" decode -o "$work/target/late" <"$work/input" >"$work/out" 2>"$work/err" &
pid=$!
exec 9>"$work/input"
sleep 0.5
mkdir "$work/target/late"
cat "$work/object" >&9
exec 9>&-
wait "$pid"
status=$?
[ "$status" -ne 0 ] || problem "it says that it succeeded"
[ ! -s "$work/out" ] || problem "it reported a success: $(head -n 1 "$work/out")"
[ "$(ls -A "$work/target")" = late ] || problem "something is left: $(ls -A "$work/target")"
conclude "-o FILE that cannot appear: no success is reported"

# ---- a proof is only what was proven

echo plain >"$store/foreign"
run verify "${storage[@]}" "${common[@]}" --key foreign
check_status 0
grep -q 'proof .*the length is the announced one' "$work/out" || problem "another proof than the length"
conclude "an object of unknown format that is none: no format has proven it"
for compression in auto none; do
  TMPDIR=$work/tmp "$work/bin/backupctl" decode --compression "$compression" -o "$work/decoded" <"$work/data" >"$work/out" 2>"$work/err"
  status=$?
  check_status 0
  grep -q 'proof .*none' "$work/out" || problem "there was a proof"
  conclude "decode --compression $compression of what is not compressed: no proof"
done
run restore "${storage[@]}" "${common[@]}" --key foreign --verify-first -o json -- false
check_status 1
grep -q '"proof"' "$work/out" && problem "a failure with a proof"
conclude "a restore that fails behind --verify-first has no proof"

# ---- what a storage says is held against what it said before

faulty=(--storage faulty --param "path=$store" "${common[@]}")
noise 300000 >"$work/noise"
run backup "${storage[@]}" --no-record --compress none --key r -- cat "$work/noise"
run verify "${faulty[@]}" --no-record --param fault=get-resumes-short:2 --key r
check_status 3
check_said 'opened again after a fault'
conclude "an object that is shorter when a read goes on: not the whole"

run backup "${faulty[@]}" --param fault=wrong-size-stays --key stays -- echo data
check_status 4
check_said 'could not be removed, so it is there'
grep -q 'nothing was stored' "$work/err" && problem "it says that nothing was stored"
[ -e "$store/stays" ] || problem "it was removed"
conclude "an object of a wrong size that cannot be removed: it says so"
rm -f "$store/stays"

# ---- no plugin's call lasts for ever, wherever it is made

backup_fails "a storage that hangs when it is opened" 1 "a plugin's call did not come back" \
  --storage faulty --param fault=hang-at-open --call-timeout 1s -- echo data
check_within 30000
for command in 'sleep 60' 'false'; do
  backup_fails "a storage that hangs when it is cancelled, and $command" 1 'FAILED' \
    --storage faulty --param fault=hang-at-cancel --call-timeout 1s --deadline 1s -- $command
  check_within 40000
done

# ---- records: the one that is kept is the object's

run backup "${storage[@]}" "${common[@]}" --key c -- echo data
record=$(ls -t "$work"/state/records/*.json | head -n 1)
mv "$record" "$record.$(sed -n 's/.*"uid":.*"\(.*\)".*/\1/p' "$record")" # as a crash behind the commit leaves it
# This one fails in its commit, when its own record is there already: its put is ended by the command.
run backup "${storage[@]}" "${common[@]}" --key c --compress none -- \
  sh -c 'until rm -r "$1"/.backup-operator/???????????????????????????????? 2>/dev/null; do sleep 0.02; done' sh "$store"
check_status 1
check_said 'was ended from elsewhere'
run verify "${storage[@]}" "${common[@]}" --key c
check_status 0
grep -q 'proof .*recorded' "$work/out" || problem "the record is gone"
conclude "a record that waits for its crashed run outlasts a later run that fails"
run backup "${storage[@]}" "${common[@]}" --key c -- echo data
[ "$(ls "$record".* 2>/dev/null)" = "" ] || problem "left: $(ls "$record".*)"
[ "$(ls "$work"/state/records/*.lock 2>/dev/null)" = "" ] || problem "a lock is left"
conclude "a later run that succeeds clears up"

for round in 1 2 3 4 5 6 7 8; do
  pids=
  for one in 1 2 3; do
    TMPDIR=$work/tmp BO_TEST_MARK=$work "$work/bin/backupctl" backup "${storage[@]}" "${common[@]}" --key c -q \
      -- echo "$round $one" 2>"$work/err" &
    pids+=" $!"
  done
  for one in $pids; do wait "$one" || problem "a backup failed: $(cat "$work/err")"; done
  run verify "${storage[@]}" "${common[@]}" --key c
  check_status 0
  grep -q 'proof .*recorded' "$work/out" || problem "the record is not the object's"
done
conclude "backups to one key at once: the record is that of the object"

# ---- odd surroundings

backup -- cat "$work/data"
begin=$(now_ms)
TMPDIR=$work/tmp bash -c 'exec "$@" > >(cat)' sh "$work/bin/backupctl" list "${storage[@]}" >"$work/out" 2>"$work/err"
status=$?
elapsed_ms=$(($(now_ms) - begin))
check_status 0
check_within 20000
conclude "children of the shell that became backupctl are not waited for"

# with_closed TEXT PATTERN REDIRECTION ARG...: it fails, and says why.
with_closed() {
  local text=$1 pattern=$2 redirection=$3
  shift 3
  eval "TMPDIR=$work/tmp \"\$work/bin/backupctl\" \"\$@\" $redirection" 2>"$work/err"
  status=$?
  : >"$work/out"
  check_status 1
  check_said "$pattern"
  conclude "$text"
}
with_closed "decode without a stdin" "reading the input: Bad file" '<&- >/dev/null' decode --compression none
with_closed "cat without a stdout" "the output: Bad file" '>&-' cat "${storage[@]}" "${common[@]}" --key k
with_closed "a report that cannot be written is no silent failure" "could not be written to stdout: verify successful" '>/dev/full' \
  verify "${storage[@]}" "${common[@]}" --key k
TMPDIR=$work/tmp "$work/bin/backupctl" backup "${storage[@]}" "${common[@]}" --key k -- cat "$work/data" >"$work/out" 2>&-
status=$?
check_status 0
run verify "${storage[@]}" "${common[@]}" --key k
check_status 0
conclude "a backup without a stderr"

# ---- manifests: whose object it is, and what is done although it cannot be noted

run backup -f "$work/run.yaml" "${common[@]}"
check_status 0
# As if the next attempt had been interrupted between its grant and its commit: same run, same size, another attempt.
python3 - "$work/state/BackupRun/default/one.json" <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
status = run['status']
del status['backup']['completionTime'], status['backup']['reason']
status['state'], status['attempts'] = 'Backuping', 2
json.dump(run, open(sys.argv[1], 'w'))
END
run verify -f "$work/run.yaml" "${common[@]}"
check_status 1
check_said 'no successful backup on record here .state InterruptedFailed'
conclude "the object of an earlier attempt does not make a later one successful"

cat >"$work/two.yaml" <<END
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata: {name: two, namespace: default}
spec:
  storage: {name: here, path: /two}
  backup: {command: [echo, data]}
  restore: {command: [sh, -c, "cat >/dev/null; rm -r $work/state/BackupRun; : >$work/state/BackupRun"]}
  template: {spec: {containers: [{name: main}]}}
END
run backup -f "$work/run.yaml" -f "$work/two.yaml" --name two "${common[@]}"
check_status 0
run restore -f "$work/run.yaml" -f "$work/two.yaml" --name two "${common[@]}"
check_status 0
check_said 'warning: how it ended could not be kept'
grep -q '^restored: two' "$work/out" || problem "it does not say that it is restored"
conclude "a restore that succeeded has, even when that cannot be noted"

# ---- a listing that is read slowly is whole

many=$work/many
mkdir "$many" && for i in $(seq 1100 2500); do : >"$many/$(printf 'an-object-with-a-name-that-fills-a-pipe-%0120d' "$i")"; done
TMPDIR=$work/tmp "$work/bin/backupctl" list --storage file --param "path=$many" 2>"$work/err" | (sleep 12 && wc -l) >"$work/out"
status=${PIPESTATUS[0]}
check_status 0
[ "$(cat "$work/out")" -eq 1401 ] || problem "$(cat "$work/out") objects are listed of 1401"
conclude "a listing whose reader pauses for twelve seconds"
TMPDIR=$work/tmp "$work/bin/backupctl" list --storage file --param "path=$many" --call-timeout 1s 2>"$work/err" |
  (sleep 20 && wc -l) >"$work/out"
status=${PIPESTATUS[0]}
check_status 1
check_said 'list FAILED'
conclude "a listing whose reader pauses for longer than a call may take is a failure, not a part"
