#!/usr/bin/env bash
# The manifests that a cluster takes, on this machine: what is wrong with them is said at once and in place; a run is
# backed up once, whatever is killed in between; paths stay where they belong; what a machine cannot honour is said.
. "${BASH_SOURCE%/*}/lib.sh"
use_faulty_plugins

own=$(age-keygen 2>/dev/null)
recipient=$(sed -n 's/^# public key: //p' <<<"$own")
identity=$(grep '^AGE-SECRET-KEY-' <<<"$own")
records=$work/state/BackupRun

# storage_manifest [LINE...]: the BackupStorage `disk`, with further lines of its spec.
storage_manifest() {
  printf '%s\n' 'apiVersion: backup-operator.io/v1' 'kind: BackupStorage' 'metadata: {name: disk}' 'spec:' \
    '  type: file' "  parameters: {path: $store}" "$@" >"$work/storage.yaml"
}
storage_manifest

# run_manifest NAME: the BackupRun, with what stands in these variables, which keep their values until they are set.
compression='{algorithm: gzip}' encryption= path=/k
backup_script='echo data' restore_script='cat >"$OUT"; : >"$EOF"' more= container_more= env_more=
run_manifest() {
  cat >"$work/$1.yaml" <<YAML
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata:
  name: $1
spec:
  storage: {name: disk, path: '$path'}
  compression: $compression
${encryption:+  encryption: $encryption}
  backup:
    command: [/bin/sh, -c]
    args: ['$backup_script']
  restore:
    command: [/bin/sh, -c]
    args: ['$restore_script']
$more
  template:
    spec:
      containers:
      - name: main
        env:
        - {name: BO_TEST_MARK, value: $work}
        - {name: OUT, value: $work/restored}
        - {name: EOF, value: $eof}
$env_more
$container_more
YAML
}
secret_manifest() { # NAME NAMESPACE [KEY VALUE]...
  {
    printf '%s\n' 'apiVersion: v1' 'kind: Secret' "metadata: {name: $1, namespace: $2}" 'stringData:'
    shift 2
    while [ $# -gt 0 ]; do
      printf '  %s: "%s"\n' "$1" "$2"
      shift 2
    done
  } >"$work/secret.yaml"
  chmod 600 "$work/secret.yaml"
}

# with COMMAND NAME [OPTION...]: the run NAME with its storage.
with() { run "$1" -f "$work/storage.yaml" -f "$work/$2.yaml" "${common[@]}" "${@:3}"; }
# field NAME EXPRESSION: of the record, as Python sees it in `r`.
field() {
  python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$records/default/$1.json" "$2" 2>&1
}
check_field() { # NAME EXPRESSION VALUE
  local found
  found=$(field "$1" "$2")
  [ "$found" = "$3" ] || problem "of the record $2 is $found, not $3"
}
condition() { echo "{c['type']:c['status'] for c in r['status']['conditions']}['$1']"; }
fresh() {
  rm -rf "$store" "$work/state" "$work/restored" "$eof"
  mkdir "$store" "$work/state"
}

# ---- validate

run_manifest good
run validate -f "$work/good.yaml" -f "$work/storage.yaml"
check_status 0
grep -qx '2 manifests, no errors' "$work/out" || problem "stdout does not count them"
conclude "good manifests are good"

cat >"$work/bad.yaml" <<'YAML'
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata:
  name: Bad_Name
spec:
  storage: {name: disk, path: '/{{ nofunction }}'}
  compression: {algorithm: gzip, level: 12}
  encryption: {recipients: []}
  encyption: {}
  backup:
    command: echo
    deadlineSeconds: 0
  retainPolicy: Forever
  template: {spec: {containers: []}}
---
apiVersion: backup-operator.io/v2
kind: BackupStorage
metadata: {name: x}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {k: '%%%'}
YAML
run validate -f "$work/bad.yaml"
check_status 1
for place in '4:.*metadata.name' '7:.*compression.level' '8:.*recipients' '9:.*encyption' '11:.*backup.command' \
  '12:.*deadlineSeconds' '13:.*retainPolicy' '14:.*containers' '16:.*apiVersion' '23:.*data'; do
  check_said "^$work/bad.yaml:$place"
done
conclude "validate says all that is wrong at once, each with its line, and exits with status 1"

sed -e 's/Bad_Name/good/' -e '/level: 12/d' -e '/encryption/d' -e '/encyption/d' -e 's/command: echo/command: [echo]/' -e '/deadlineSeconds/d' \
  -e '/retainPolicy/d' -e '/containers: /d' -e '/^---/,$d' "$work/bad.yaml" >"$work/bad2.yaml"
run validate -f "$work/bad2.yaml"
check_status 1
check_said "^$work/bad2.yaml:6:.*storage.path.*nofunction"
conclude "a path template is tried, too"

for text in 'a: [' 'a: &x [*x]' 'just text' $'\tx: y' '{"apiVersion": "backup-operator.io/v1", "kind": }'; do
  printf '%s\n' "$text" >"$work/broken.yaml"
  run validate -f "$work/broken.yaml"
  check_status 1
  check_said 'broken.yaml(:[0-9]+)*: error: '
  conclude "no manifest at all: $text"
done
run validate -f "$work/nowhere.yaml"
[ "$status" -eq 1 ] || [ "$status" -eq 2 ] || problem "the exit status is $status"
check_said 'nowhere.yaml'
conclude "a file that is not there"
run validate
check_status 2
conclude "validate needs a file"

# ---- a run, from the first to the last

fresh
encryption="{recipients: [$recipient], decryptionKey: {name: keys, key: age}}"
path='/{{ .metadata.namespace }}/{{ .metadata.name }}-{{ now | date "2006" }}.gz.age'
run_manifest whole
secret_manifest keys default age "$identity"
with backup whole -f "$work/secret.yaml"
check_status 0
object=$store/default/whole-$(date -u +%Y).gz.age
[ -f "$object" ] || problem "there is no object at $object: $(find "$store" -type f)"
[ "$(age -d -i <(echo "$identity") <"$object" | gunzip)" = data ] || problem "age and gunzip do not read it"
grep -q 'age -d -i KEYFILE < OBJECT | gunzip' "$work/out" || problem "the way to read it by hand is not said"
check_field whole "r['status']['state']" BackupSuccessful
check_field whole "r['status']['path']" "/default/whole-$(date -u +%Y).gz.age"
check_field whole "r['status']['sizeInBytes']" "$(stat -c %s "$object")"
check_field whole "r['status']['backup']['sha256Plain']" "$(echo data | sha256sum | cut -c 1-64)"
check_field whole "r['status']['backup']['sha256Stored']" "$(sha256sum <"$object" | cut -c 1-64)"
check_field whole "$(condition Successful)" True
check_field whole "$(condition Encrypted)" True
check_field whole "$(condition InProgress)" False
check_gone
conclude "backup -f: stored, recorded, and readable by hand"

with verify whole -f "$work/secret.yaml"
check_status 0
check_field whole "r['status']['verify']['reason']" Succeeded
check_field whole "$(condition Verified)" True
conclude "verify -f"

with restore whole -f "$work/secret.yaml"
check_status 0
[ "$(cat "$work/restored")" = data ] || problem "other data came back"
[ -e "$eof" ] || problem "stdin was not ended"
check_field whole "r['status']['state']" RestoreSuccessful
check_field whole "$(condition Restored)" True
check_field whole "$(condition Successful)" True
grep -q 'proof .*recorded' "$work/out" || problem "the proof is not the record"
check_gone
conclude "restore -f"

remember_files
with backup whole -f "$work/secret.yaml"
check_status 1
check_said 'backed up already'
check_files
conclude "a run is backed up once"

sed -i 's/}}-{{ now/}}-moved-{{ now/' "$work/whole.yaml"
with verify whole -f "$work/secret.yaml"
check_status 0
conclude "the path that was rendered once stays, whatever the template becomes"

restore_script='cat >/dev/null; exit 7'
run_manifest whole
with restore whole -f "$work/secret.yaml"
check_status 1
check_said 'FAILED .*: command: .*exited with status 7'
check_field whole "r['status']['state']" RestoreFailed
check_field whole "r['status']['restore']['reason']" CommandFailed
check_field whole "$(condition Successful)" True
check_field whole "$(condition Restored)" False
conclude "a failed restore leaves the backup's success alone"

# ---- what a crash has left is settled first

# as_if NAME STATEMENT...: the record as another process would have left it; `b` is its backup block.
as_if() {
  python3 - "$records/default/$1.json" "$2" <<'PYTHON'
import json, sys
r = json.load(open(sys.argv[1]))
s = r['status']
b = s['backup']
exec(sys.argv[2])
json.dump(r, open(sys.argv[1], 'w'))
PYTHON
}
forgotten="del b['completionTime'], b['reason'], s['sizeInBytes'], s['size']; s['state'] = 'Backuping'"

fresh
encryption='' path='/{{ .metadata.name }}' restore_script='cat >"$OUT"; : >"$EOF"'
run_manifest adopted
with backup adopted
before=$(sha256sum "$store/adopted")
as_if adopted "$forgotten"
with backup adopted
check_status 0
grep -q 'backed up: adopted' "$work/out" || problem "it does not say that it is backed up"
[ "$(sha256sum "$store/adopted")" = "$before" ] || problem "the object was written again"
check_field adopted "r['status']['state']" BackupSuccessful
check_field adopted "r['status']['sizeInBytes']" "$(stat -c %s "$store/adopted")"
check_field adopted "$(condition Successful)" True
check_gone
conclude "killed between the commit and the record of it: the object is found, and the backup has succeeded"

as_if adopted "$forgotten"
with restore adopted
check_status 0
[ "$(cat "$work/restored")" = data ] || problem "other data came back"
conclude "the same, and the next thing is a restore"

as_if adopted "$forgotten"
printf x >>"$store/adopted"
with restore adopted
check_status 1
check_said 'no successful backup on record'
check_field adopted "r['status']['state']" InterruptedFailed
conclude "an object that is not the one to be committed is not adopted"

fresh
backup_script='echo data; [ -e "'$work'/go" ] || { : >"'$work'/started"; sleep 600; }'
run_manifest killed
start backup -f "$work/storage.yaml" -f "$work/killed.yaml" "${common[@]}"
while [ ! -e "$work/started" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
check_field killed "r['status']['state']" Backuping
check_field killed "$(condition InProgress)" True
( with backup killed
  check_status 1
  check_said 'in progress in another process'
  printf '%s' "$problems" >"$work/second" )
[ -s "$work/second" ] && problem "$(cat "$work/second")"
conclude "two at once: the second is refused"

kill -KILL "$pid"
wait "$pid" 2>/dev/null
check_gone 10
check_no_key
: >"$work/go"
with restore killed
check_status 1
check_said 'no successful backup on record'
check_field killed "r['status']['state']" InterruptedFailed
check_field killed "r['status']['backup']['reason']" Interrupted
conclude "backupctl is killed in a backup: it failed, and nothing can be restored"

with backup killed
check_status 0
check_field killed "r['status']['state']" BackupSuccessful
check_field killed "r['status']['attempts']" 2
[ "$(find "$store" -type f | wc -l)" -le 2 ] || problem "more than an object and its metadata: $(find "$store" -type f)"
check_gone
conclude "and the next attempt succeeds, with nothing left of the first"

# Killed at the moment when the object appears: before or after its success was recorded, the end is the same.
backup_script='echo data'
for ((round = 0; round < 5; round++)); do
  fresh
  run_manifest raced
  start backup -f "$work/storage.yaml" -f "$work/raced.yaml" "${common[@]}"
  while [ ! -e "$store/raced" ] && kill -0 "$pid" 2>/dev/null; do :; done
  kill -KILL "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  check_gone 10
  with backup raced
  [ "$status" -eq 0 ] || check_said 'backed up already' # its success was recorded in time
  check_field raced "r['status']['state']" BackupSuccessful
  with verify raced
  check_status 0
  [ -z "$problems" ] || break
done
conclude "backupctl is killed when the object appears: adopted as successful"

start restore -f "$work/storage.yaml" -f "$work/raced.yaml" "${common[@]}"
wait "$pid"
as_if raced "del s['restore']['completionTime'], s['restore']['reason']; s['state'] = 'Restoring'"
with verify raced
check_status 0
check_field raced "r['status']['state']" RestoreFailed
check_field raced "r['status']['restore']['reason']" Interrupted
conclude "an interrupted restore is a failed one"

for text in '' '{' '[]' '"text"' '{"apiVersion": "backup-operator.io/v1", "kind": "BackupStorage", "metadata": {"name": "raced"}, "spec": {}}' \
  '{"apiVersion": "backup-operator.io/v1", "kind": "BackupRun", "metadata": {"name": "raced"}}'; do
  printf '%s' "$text" >"$records/default/raced.json"
  remember_files
  for command in backup restore verify; do
    with "$command" raced
    [ "$status" -ne 0 ] || problem "$command succeeds"
    check_said "record"
  done
  check_files
  conclude "a record that is none: ${text:-(empty)}"
done

# ---- paths

fresh
refuses_path() { # TEXT PATH PATTERN
  path=$2
  run_manifest path
  with backup path
  check_status 2
  check_said "$3"
  [ -z "$(find "$work" -newer "$work/path.yaml" -name 'escaped*')" ] || problem "a file has escaped"
  conclude "$1"
}
refuses_path "a path with .." '/../escaped' 'storage.path.*not allowed'
refuses_path "a path that ends in .." '/a/..' 'storage.path.*not allowed'
refuses_path "a template that comes to .." '/{{ "." }}./escaped' 'storage.path.*not allowed'
refuses_path "a path without its slash" 'escaped' 'storage.path.*slash'
refuses_path "a template that comes to a newline" '/{{ "\n" }}x' 'storage.path.*control character'
refuses_path "a field that is not set" '/{{ .metadata.labels.team }}' 'storage.path'
refuses_path "a template that reads the environment" '/{{ env "HOME" }}' 'storage.path.*env'
refuses_path "a template that never ends" '/{{ range until 1000000 }}{{ range until 1000000 }}x{{ end }}{{ end }}' 'storage.path'

path='/{{ .metadata.name }}/{{ .spec.compression.algorithm | upper }}/{{ .metadata.uid }}'
run_manifest path
with backup path
check_status 0
check_field path "r['status']['path']" "/path/GZIP/$(field path "r['metadata']['uid']")"
[ -f "$store$(field path "r['status']['path']")" ] || problem "the object is elsewhere"
conclude "a path made of the run itself"

fresh
path=/k
run_manifest prefixed
sed -i 's/^  name: prefixed/  name: prefixed\n  namespace: team-a/' "$work/prefixed.yaml"
storage_manifest '  namespacePrefix: true'
with backup prefixed
check_status 0
[ -f "$store/team-a/k" ] || problem "the object is at $(find "$store" -type f)"
with restore prefixed
check_status 0
conclude "namespacePrefix: keys lie below the run's namespace"
storage_manifest

# ---- refusals

fresh
run_manifest unknown
sed -i 's/^  compression:/  compresion:/' "$work/unknown.yaml"
with backup unknown
check_status 2
check_said 'unknown.yaml:7:.*compresion.*"compression"'
check_said 'nothing is backed up'
check_no_key
conclude "a field that is not known refuses a backup"

run_manifest nostorage
run backup -f "$work/nostorage.yaml" "${common[@]}"
check_status 2
check_said 'no BackupStorage disk'
conclude "a storage that is not there"

encryption="{recipients: [$recipient], decryptionKey: {name: keys, key: age}}"
run_manifest keyless
with backup keyless
check_status 0
for case in "no Secret keys|other default age $identity" "no entry age|keys default other $identity" \
  "no Secret keys in namespace default|keys elsewhere age $identity"; do
  secret_manifest ${case#*|}
  rm -f "$eof"
  with restore keyless -f "$work/secret.yaml"
  check_status 2
  check_said "${case%%|*}"
  check_no_eof
  conclude "a restore whose key is missing: ${case%%|*}"
done
secret_manifest keys default age "$(age-keygen 2>/dev/null | tail -n 1)"
with restore keyless -f "$work/secret.yaml"
check_status 1
check_said 'FAILED .*: decrypt: .*none of the keys given'
check_no_eof
conclude "a restore with another key"
encryption="{recipients: [$recipient], decryptionKey: {name: keys, key: age, namespace: elsewhere}}"
run_manifest keyless
secret_manifest keys elsewhere age "$identity"
with restore keyless -f "$work/secret.yaml"
check_status 1
check_said 'elsewhere is not the run.s own namespace'
check_no_eof
conclude "a key from another namespace is refused, also when it is there"
encryption="{recipients: [$identity]}"
run_manifest exposed
with backup exposed
check_status 2
check_said 'recipients.*private key'
grep -q "$identity" "$work/err" && problem "the key is quoted"
conclude "a private key among the recipients is refused, and not quoted"
encryption='' 

# ---- what a run may say

fresh
more='  retainPolicy: Delete'
run_manifest retained
with backup retained
check_status 0
conclude "a retainPolicy is accepted"
more=

cat >"$work/only.yaml" <<YAML
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata: {name: only}
spec:
  storage: {name: disk, path: /k}
  compression: {algorithm: gzip}
  restore:
    command: [sh, -c, 'cat >"\$OUT"']
  template: {spec: {containers: [{name: main, env: [{name: OUT, value: $work/restored}]}]}}
YAML
rm -f "$work/restored"
with backup only
check_status 2
check_said 'only restores'
with restore only
check_status 0
[ "$(cat "$work/restored")" = data ] || problem "other data came back"
grep -q 'proof .*format' "$work/out" || problem "the proof is not the format's"
conclude "a run without backup restores an object that is there"

fresh
mkdir "$work/there"
backup_script='pwd; echo "$PLAIN $FROM_SECRET $EXPANDED $NAME"'
env_more="
        - {name: PLAIN, value: plain}
        - {name: FROM_SECRET, valueFrom: {secretKeyRef: {name: keys, key: word}}}
        - {name: EXPANDED, value: \$(PLAIN)+}
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"
container_more="        workingDir: $work/there
      - name: second
        workingDir: /"
secret_manifest keys default word 'of the secret'
compression='{algorithm: gzip}'
run_manifest env
with backup env -f "$work/secret.yaml"
check_status 0
[ "$(gunzip <"$store/k")" = "$work/there"$'\nplain of the secret plain+ env' ] || problem "it printed $(gunzip <"$store/k")"
conclude "env, secretKeyRef, fieldRef and workingDir are honoured"

fresh
sed -i 's/^  backup:/  backup:\n    container: second/' "$work/env.yaml"
with backup env -f "$work/secret.yaml"
check_status 0
[ "$(gunzip <"$store/k")" = $'/\n   ' ] || problem "it printed $(gunzip <"$store/k")"
conclude "container chooses one that is not the first"

fresh
run_manifest env
with backup env
[ "$status" -ne 0 ] || problem "it succeeds"
check_said 'the key .?"word" of the secret "keys"'
check_no_key
conclude "a variable's secret that is missing refuses the run"
env_more= backup_script='echo data'

fresh
container_more='        image: postgres:16
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]'
run_manifest image
with backup image
check_status 0
for word in image volume; do
  [ "$(grep -ci "$word" "$work/err")" -eq 1 ] || problem "'$word' is said $(grep -ci "$word" "$work/err") times"
done
conclude "an image and volumes, which this machine cannot honour, are said once"
container_more=

# ---- where manifests come from

fresh
run_manifest one
run_manifest two
sed -i 's#path: ./k.#path: /two#' "$work/two.yaml"
{ cat "$work/storage.yaml"; echo ---; cat "$work/one.yaml"; } >"$work/all.yaml"
TMPDIR=$work/tmp "$work/bin/backupctl" backup -f - "${common[@]}" <"$work/all.yaml" >"$work/out" 2>"$work/err"
status=$?
check_status 0
conclude "-f - reads stdin"

mkdir "$work/folder"
cp "$work/storage.yaml" "$work/one.yaml" "$work/two.yaml" "$work/folder"
echo 'not: {read' >"$work/folder/notes.txt"
run backup -f "$work/folder" "${common[@]}"
check_status 2
check_said 'several.*one, two'
run backup -f "$work/folder" --name three "${common[@]}"
check_status 2
check_said 'none of that name'
run backup -f "$work/folder" --name two "${common[@]}"
check_status 0
[ -f "$store/two" ] || problem "there is no object"
run verify -f "$work/folder" --name default/two "${common[@]}"
check_status 0
conclude "-f FOLDER, with --name where it holds several"

python3 -c '
import json, sys
path, store = sys.argv[1:]
meta = lambda kind, name, spec: {"apiVersion": "backup-operator.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
json.dump({"apiVersion": "v1", "kind": "List", "items": [
  meta("BackupStorage", "disk", {"type": "file", "parameters": {"path": store}}),
  meta("BackupRun", "json", {"storage": {"name": "disk", "path": "/json"}, "backup": {"command": ["echo", "data"]},
    "template": {"spec": {"containers": [{"name": "main"}]}}})]}, open(path, "w"))' "$work/all.json" "$store"
run backup -f "$work/all.json" "${common[@]}"
check_status 0
[ "$(cat "$store/json")" = data ] || problem "there is no such object"
conclude "JSON, and a List"

# ---- status

run status "${common[@]}"
check_status 0
[ "$(grep -c BackupSuccessful "$work/out")" -eq 3 ] || problem "not three runs are shown"
run status two "${common[@]}"
check_status 0
grep -q '^default/two: BackupSuccessful' "$work/out" || problem "it does not begin with name and state"
grep -q 'sha256' "$work/out" || problem "there are no hashes"
run status default/two "${common[@]}"
check_status 0
run status "${common[@]}" -o json
check_status 0
python3 -c '
import json, sys
runs = [json.loads(line) for line in sys.stdin]
assert sorted(r["metadata"]["name"] for r in runs) == ["json", "one", "two"], runs
assert all(r["kind"] == "BackupRun" for r in runs)' <"$work/out" 2>"$work/err" || problem "no JSON of three runs"
run status nowhere "${common[@]}"
check_status 1
check_said 'no run nowhere'
run status --state "$work/no-such-state"
check_status 0
conclude "status: all, one by its name, as JSON"

run backup -f "$work/folder" --name one "${common[@]}" -o json
check_status 1
python3 -c 'import json,sys; r=json.load(sys.stdin); assert r["state"]=="failed" and r["message"]' <"$work/out" 2>>"$work/err" ||
  problem "-o json is no JSON"
conclude "a refusal with -o json is JSON"

# ---- render

renders() { # TEXT EXPECTED ARG...
  run render "${@:3}"
  check_status 0
  printf '%s' "$2" | cmp -s - "$work/out" || problem "it is '$(cat "$work/out")', not '$2'"
  conclude "render: $1"
}
renders "the text exactly, without a newline" 'a b' '{{ "a" }} b'
renders "a newline of its own" $'a\n' $'a\n'
renders "--now is the time" '2026/11/24' '{{ now | date "2006/01/02" }}' --now 2026-11-24T23:59:59Z
echo '{"metadata": {"name": "shop", "labels": {"team": "a"}}}' >"$work/data.json"
renders "--data is what it sees" 'shop-A' '{{ .metadata.name }}-{{ .metadata.labels.team | upper }}' --data "$work/data.json"
for case in '{{ nofunction }}|1:' $'a\nb {{ nofunction }}|2:' '{{ if }}|1:' '{{ index .a 1 }}|1:' '{{ fail "x" }}|1:'; do
  run render "${case%|*}"
  check_status 2
  check_said "${case#*|}[0-9]+"
  [ ! -s "$work/out" ] || problem "something is on stdout"
  conclude "render says line and column of what is wrong: ${case##*$'\n'}"
done
for arguments in '' 'a b' 'a --now yesterday' 'a --data /nowhere'; do
  run render $arguments
  [ "$status" -ne 0 ] || problem "it succeeds"
  conclude "render refuses: ${arguments:-no template}"
done
