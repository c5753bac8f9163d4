#!/usr/bin/env bash
# backupctl as people and scripts meet it: exit statuses, JSON, help, progress, and mistakes on the command line.
. "${BASH_SOURCE%/*}/lib.sh"

# usage_error TEXT PATTERN ARG...
usage_error() {
  local text=$1 pattern=$2
  shift 2
  run "$@"
  check_status 2
  check_said "$pattern"
  [ ! -s "$work/out" ] || problem "stdout is not empty"
  [ -z "$(find "$store" -mindepth 1)" ] || problem "something is in the storage"
  conclude "$text: exit status 2"
}
command=(-- echo data)
usage_error "a command that is not there" 'no command frobnicate' frobnicate
usage_error "an option that is not there" 'frobnicate' backup --frobnicate
usage_error "no storage" '--storage' backup --key k "${command[@]}"
usage_error "no key" '--key' backup "${storage[@]}" "${command[@]}"
usage_error "no command to run" 'command is required' backup "${storage[@]}" --key k
usage_error "a command without --" 'behind `--`' backup "${storage[@]}" --key k echo data
usage_error "a command where none is run" 'runs no command' list "${storage[@]}" -- echo
usage_error "a parameter without a value" 'NAME=VALUE' backup --storage file --param path --key k "${command[@]}"
usage_error "an unknown parameter, with the nearest known one" 'pth.*path' \
  backup --storage file --param "pth=$store" --key k "${command[@]}"
usage_error "a missing parameter" 'path' backup --storage file --key k "${command[@]}"
usage_error "an unknown storage" 'frobnicate' backup --storage frobnicate --key k "${command[@]}"
usage_error "a storage's name with a path in it" 'storage|plugin' backup --storage ../file --key k "${command[@]}"
usage_error "an unknown codec" 'frobnicate' backup "${storage[@]}" --key k --compress frobnicate "${command[@]}"
usage_error "a level out of bounds" 'level: it must be between -2 and 9' backup "${storage[@]}" --key k --compress gzip:10 "${command[@]}"
usage_error "a level that is none" 'level' backup "${storage[@]}" --key k --compress gzip: "${command[@]}"
usage_error "a time that is none" '--deadline' backup "${storage[@]}" --key k --deadline soon "${command[@]}"
usage_error "an output format that is none" 'json' list "${storage[@]}" -o xml
usage_error "a variable that is not there" 'BO_NO_SUCH' backup "${storage[@]}" --key k --env BO_NO_SUCH "${command[@]}"
usage_error "a recipient that is none" 'recipient' backup "${storage[@]}" --key k --recipient age1none "${command[@]}"
for key in '../k' 'a//b' 'a/../../k' '.backup-operator/k'; do
  usage_error "the key $key" 'k' backup "${storage[@]}" "${common[@]}" --key "$key" "${command[@]}"
done

# ---- exit statuses, as --help promises them

run --help
check_status 0
for line in '0 success' '1 failed' '2 asked for wrongly' '3 the data are not' '4 an object may exist' '130 interrupted'; do
  tr -s ' \n' ' ' <"$work/out" | grep -qF "$line" || problem "--help does not say: $line"
done
conclude "--help names the exit statuses"
run
check_status 2
conclude "no command at all: exit status 2"
for command in backup restore verify cat decode list sweep plugins; do
  run "$command" --help
  check_status 0
  grep -q "^Usage: backupctl $command" "$work/out" || problem "there is no usage line"
  [ ! -s "$work/err" ] || problem "stderr is not empty"
  conclude "backupctl $command --help"
done
run --version
check_status 0
grep -qE '^backupctl [0-9]' "$work/out" || problem "no version"
conclude "--version"

backup -- sh -c 'echo data; echo words >&2'
check_status 0
[ ! -s "$work/err" ] || problem "stderr is not empty"
conclude "a backup: exit status 0"
restore -- sh -c 'test "$(cat)" = data'
check_status 0
conclude "its restore: exit status 0"
run verify "${storage[@]}" "${common[@]}" --key k
check_status 0
conclude "its verification: exit status 0"
run cat "${storage[@]}" "${common[@]}" --key k
check_status 0
[ "$(cat "$work/out")" = data ] || problem "stdout holds something else"
conclude "cat writes the data and nothing else: exit status 0"
run verify "${storage[@]}" "${common[@]}" --key other
check_status 1
conclude "an object that is not there: exit status 1"

# ---- JSON

# json EXPRESSION: stdout is one JSON object `r`, of which the Python expression is true.
json() {
  python3 -c 'import json, sys
lines = open(sys.argv[1]).read().splitlines()
assert len(lines) == 1, lines
r = json.loads(lines[0])
assert eval(sys.argv[2]), r' "$work/out" "$1" 2>"$work/python" || problem "JSON: $(tail -n 1 "$work/python")"
}
sha256_of_data=$(echo data | sha256sum | cut -d ' ' -f 1)
backup -o json -- echo data
check_status 0
json "r['type'] == 'result' and r['operation'] == 'backup' and r['state'] == 'successful' and r['key'] == 'k'"
json "r['plainBytes'] == 5 and r['sha256Plain'] == '$sha256_of_data' and r['proof'] == 'stat'"
json "r['storedBytes'] == $(stat -c %s "$store/k") and r['sha256Stored'] == '$(sha256sum <"$store/k" | cut -d ' ' -f 1)'"
json "r['object']['sizeBytes'] == r['storedBytes'] and r['exit'] == {'status': 0} and len(r['uid']) == 36"
[ ! -s "$work/err" ] || problem "stderr is not empty"
conclude "a backup with -o json"

restore -o json -- sh -c 'cat >/dev/null'
check_status 0
json "r['operation'] == 'restore' and r['state'] == 'successful' and r['proof'] == 'record' and r['plainBytes'] == 5"
conclude "a restore with -o json"

backup -o json -- sh -c 'echo data; printf "a\001\033[31mb\377\n" >&2; kill -TERM $$'
check_status 1
json "r['state'] == 'failed' and r['stage'] == 'command' and r['class'] == 'command' and r['exit'] == {'signal': 15}"
json "r['stderrTail'] == 'ab\ufffd' and 'proof' not in r and 'signal 15' in r['message']"
conclude "a failed backup with -o json: stage, class, exit, and the tail of stderr as text"

run verify "${storage[@]}" "${common[@]}" --key other -o json
check_status 1
json "r['state'] == 'failed' and r['class'] == 'not-found' and r['operation'] == 'verify' and r['key'] == 'other'"
conclude "a verification of nothing with -o json"

run backup --storage file --param pth=x --key k -o json -- true
check_status 2
json "r['state'] == 'failed' and r['class'] == 'config' and 'pth' in r['message']"
conclude "a mistake in a parameter with -o json"

run plugins -o json
check_status 0
python3 -c 'import json, sys
names = {(p["kind"], p["name"]) for p in map(json.loads, open(sys.argv[1]))}
assert {("compress", "gzip"), ("storage", "file"), ("platform", "local"), ("crypt", "age")} <= names, names' "$work/out" ||
  problem "plugins are missing"
conclude "plugins -o json: one object each"
run plugins file
check_status 0
grep -q 'path .*required' "$work/out" || problem "the parameter is not described"
conclude "plugins file: its parameters"
run plugins frobnicate
check_status 2
conclude "plugins frobnicate: exit status 2"

# ---- lists, sweeps, quiet

for i in $(seq 1100); do echo "$i" >"$store/many-$i"; done
run list "${storage[@]}" --prefix many- -o json
check_status 0
python3 -c 'import json, sys
keys = [json.loads(line)["key"] for line in open(sys.argv[1])]
assert keys == sorted(f"many-{i}" for i in range(1, 1101)), len(keys)' "$work/out" || problem "the keys are others"
conclude "1,100 objects, more than a page, are listed in order, each once"
rm "$store"/many-*
run list "${storage[@]}"
check_status 0
grep -qE ' B  .*Z  k$' "$work/out" || problem "the line is another"
conclude "a list for people: size, time, key"
run list --storage file --param "path=$work/none"
check_status 1
conclude "a list of a folder that is not there: exit status 1"
run sweep "${storage[@]}" --older-than 0s
check_status 0
conclude "a sweep of nothing"

backup -q -- echo data
check_status 0
[ ! -s "$work/out" ] && [ ! -s "$work/err" ] || problem "it said something"
conclude "-q says nothing"
backup -v -- echo data
check_status 0
check_said 'debug: .*put_commit'
conclude "-v shows what plugins do"

# ---- records

backup --no-record -- echo other
run verify "${storage[@]}" "${common[@]}" --key k
check_status 3
check_said 'record is of run'
conclude "an object that was replaced by a run without a record is told from the recorded one"
run verify "${storage[@]}" "${common[@]}" --key k --no-record
check_status 0
conclude "--no-record verifies it by itself"
backup -- echo data
find "$work/state" -name '*.json' -exec sh -c 'echo broken >"$1"' sh {} \;
run verify "${storage[@]}" "${common[@]}" --key k
check_status 3
check_said 'record is damaged'
conclude "a damaged record is not passed over in silence"
chmod 500 "$work/state" && mkdir -p "$work/folder" && : >"$work/folder/file"
remember_files
run backup "${storage[@]}" --state "$work/folder/file" --key k2 -- echo data
[ "$status" -ne 0 ] || problem "it succeeded without its record"
check_said 'record could not be written, so nothing was committed|folder/file'
check_files
conclude "a record that cannot be written: nothing is stored"

# ---- secrets stay where they belong

printf 'the-passphrase\n' >"$work/pass"
run cat "${storage[@]}" --no-record --key k --passphrase-file "$work/pass" --identity "$work/pass" -v
grep -rqF the-passphrase "$work/out" "$work/err" && problem "a secret was shown"
conclude "a secret is not in what -v shows"

# ---- progress on a terminal

if command -v script >/dev/null; then
  rm -rf "$work/state"
  TMPDIR=$work/tmp script -qec "$work/bin/backupctl backup --storage file --param path=$store --no-record --key k \
    -- sh -c 'head -c 1000000 /dev/urandom; sleep 2.5'" /dev/null >"$work/out" 2>"$work/err" </dev/null
  status=$?
  check_status 0
  grep -qaE $'\r\x1b\\[K''backup  976.6 KiB plain, .* stored, .*/s, 0:0[12]' "$work/out" || problem "there is no progress line"
  conclude "progress on a terminal: bytes, rate, time, on one line"
else
  echo "ok - # SKIP progress on a terminal: there is no script(1)"
fi
