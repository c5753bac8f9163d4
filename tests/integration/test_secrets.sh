#!/usr/bin/env bash
# A secret goes where it must and nowhere else: not into a log, a message, a status, a record, an argument, a child's
# environment, a core or a file that is left; and once the chain runs, the runner's memory holds no private key.
. "${BASH_SOURCE%/*}/lib.sh"
use_faulty_plugins
ulimit -c unlimited # cores must be forbidden, not only be out of fashion

# ---- canaries: each a text that is nowhere else

secrets=$work/secrets # what the user has made; the only place where they may be
mkdir -m 700 "$secrets"
age-keygen -o "$secrets/age" 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -C '' -f "$secrets/ed25519"
ssh-keygen -q -t rsa -b 2048 -N '' -C '' -f "$secrets/rsa"
canary() { echo "canary-$1-$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')"; }
passphrase=$(canary passphrase)
storage_secret=$(canary storage)
env_secret=$(canary secret)
env_literal=$(canary literal)
printf '%s\n' "$passphrase" >"$secrets/passphrase"
printf '%s\n' "$storage_secret" >"$secrets/storage"
{
  grep -o 'AGE-SECRET-KEY-.*' "$secrets/age" | cut -c 17-
  sed -n 4,6p "$secrets/ed25519"
  sed -n '12,$p' "$secrets/rsa" | grep -v -e -----
  printf '%s\n' "$passphrase" "$storage_secret" "$env_secret" "$env_literal"
} | grep . >"$work/canaries"
cut -c 1-24 "$work/canaries" >>"$work/canaries.begin" # half of one is too much, too
mv "$work/canaries.begin" "$work/canaries"

recipient_of() { case $1 in age) age-keygen -y "$secrets/age" ;; *) cat "$secrets/$1.pub" ;; esac; }

# has_canary FILE...: of these files, those with a canary in them.
has_canary() { grep -laF -f "$work/canaries" -- "$@" 2>/dev/null; }

check_said_nothing() {
  local found
  found=$(has_canary "$work/out" "$work/err")
  [ -z "$found" ] || problem "a secret was printed: $(grep -aoF -f "$work/canaries" $found | head -n 1)"
}
check_left_nothing() {
  local found
  found=$(cd "$work" && find . -path ./secrets -prune -o -path ./canaries -prune -o -type f -print0 | xargs -0 grep -laF -f canaries)
  [ -z "$found" ] || problem "a secret was left in $found"
  found=$(find "$work" -name 'core*' ! -name '*.sh')
  [ -z "$found" ] || problem "there is a core: $found"
}

# check_processes: of all processes that are ours the arguments, and of our programs the environment, too.
check_processes() {
  local one seen=
  for one in $(left_processes | sort -u); do
    [ -r "/proc/$one/cmdline" ] || continue
    [ -z "$(has_canary "/proc/$one/cmdline")" ] || problem "a secret is an argument of $(tr '\0' ' ' <"/proc/$one/cmdline")"
    case $(readlink "/proc/$one/exe") in
      "$work"/*)
        seen+=" $(basename "$(readlink "/proc/$one/exe")")"
        [ -z "$(has_canary "/proc/$one/environ")" ] || problem "a secret is in the environment of$seen"
        [ "$(awk '/core file/ { print $5 }' "/proc/$one/limits")" = 0 ] || sanitized || problem "$seen may leave a core"
        ;;
    esac
  done
  for one in backupctl backup-runner platform-local-supervisor; do
    [[ $seen = *$one* ]] || problem "no process $one was seen, but$seen"
  done
}

runner_pid() { pgrep -P "$pid" -f "$work/bin/backup-runner" | head -n 1; }
# search_memory OPTION...: looks for keys in the runner's memory; what is found is in $work/found.
search_memory() {
  python3 "${BASH_SOURCE%/*}/memory_search.py" "$(runner_pid)" "$@" >"$work/found" 2>&1
}
# check_memory WHEN OPTION...: sanitizers keep what was freed, in terabytes of address space.
check_memory() {
  sanitized && return
  search_memory "${@:2}"
  [ ! -s "$work/found" ] || problem "in the runner's memory $1: $(cat "$work/found")"
}

wait_for() {
  local until=$((SECONDS + 60))
  while [ ! -e "$1" ] && kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $until ]; do sleep 0.02; done
  [ -e "$1" ] || problem "$1 did not appear"
}
finish() {
  wait "$pid"
  status=$?
  check_said_nothing
  check_left_nothing
  check_gone 5
}
# Reads some and says so, waits, reads the rest and says so, waits: for as long as the files are not there.
pausing='hold() { while [ ! -e "$1" ]; do sleep 0.05; done; };
head -c 100000 >/dev/null; : >"$1"; hold "$2"; cat >/dev/null; : >"$3"; hold "$4"'
pausing_command=(sh -c "$pausing" sh "$work/read" "$work/on" "$eof" "$work/end")
fresh() { rm -f "$work/read" "$work/on" "$work/end" "$eof"; }

noise 3000000 >"$work/data"
with_secret=(--secret-file "token=$secrets/storage")

# ---- options: an identity of each kind, and the memory of the runner that has used it

for kind in age ed25519 rsa; do
  run backup "${storage[@]}" "${with_secret[@]}" "${common[@]}" --key "the-key-$kind" --recipient "$(recipient_of "$kind")" -v \
    --env BO_TEST_MARK -- cat "$work/data"
  check_status 0
  check_said_nothing
  check_left_nothing
  conclude "a backup to an $kind recipient"

  keys=(--ssh "$secrets/$kind")
  [ "$kind" = age ] && keys=(--age "$secrets/age")
  for option in '' --verify-first; do
    fresh
    start restore "${storage[@]}" "${with_secret[@]}" "${common[@]}" --key "the-key-$kind" --identity "$secrets/$kind" -v \
      $option --env BO_TEST_MARK -- "${pausing_command[@]}"
    wait_for "$work/read"
    check_processes
    check_memory "while the command reads" "${keys[@]}"
    : >"$work/on"
    wait_for "$eof"
    check_memory "after everything was read" "${keys[@]}"
    : >"$work/end"
    finish
    check_status 0
    conclude "a restore with an $kind identity${option:+, $option}: nowhere, and not in the runner's memory"
  done

  # The search can find: while the first bytes are waited for, the key must be there.
  sanitized && continue
  start restore --storage faulty --param "path=$store" --param fault=slow:3000 "${common[@]}" --no-record \
    --key "the-key-$kind" --identity "$secrets/$kind" --verify-first --env BO_TEST_MARK -- "${reader[@]}"
  for ((i = 0; i < 50; i++)); do
    search_memory "${keys[@]}" --text "key=the-key-$kind"
    grep -q '^key, in' "$work/found" && grep -q 'as text, in' "$work/found" &&
      grep -qE '(decoded|scalar|d of an RSA).*, in' "$work/found" && break
    sleep 0.05
  done
  [ "$i" -lt 50 ] || problem "a key that must be in the memory is not found: $(cat "$work/found")"
  kill -INT "$pid"
  finish
  check_status 130
  conclude "before the first byte the search finds it, as text and decoded"
done

# ---- a passphrase

# age reads it from the terminal only.
python3 - "$passphrase" "$secrets/locked" "$work/data" <<'PYTHON'
import os, pty, sys
passphrase, out, data = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp("age", ["age", "-p", "-o", out, data])
said = b""
while True:
    try:
        got = os.read(fd, 1000)
    except OSError:
        break
    if not got:
        break
    said += got
    if said.rstrip().endswith(b":"):
        os.write(fd, passphrase.encode() + b"\n")
        said = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
[ $? -eq 0 ] || problem "age -p failed"
cp "$secrets/locked" "$store/locked"
fresh
start restore "${storage[@]}" "${with_secret[@]}" "${common[@]}" --key locked --passphrase-file "$secrets/passphrase" -v \
  --compress none --env BO_TEST_MARK -- "${pausing_command[@]}"
wait_for "$work/read"
check_processes
check_memory "while the command reads" --text "passphrase=$passphrase"
: >"$work/on" >"$work/end"
finish
check_status 0
conclude "a restore with a passphrase: nowhere, and not in the runner's memory"

canary wrong >"$secrets/wrong"
cat "$secrets/wrong" >>"$work/canaries"
run restore "${storage[@]}" "${common[@]}" --key locked --passphrase-file "$secrets/wrong" -v --compress none --env BO_TEST_MARK \
  -- "${reader[@]}"
check_status 1
check_said 'FAILED locked: decrypt: .*passphrase; the one given is wrong'
check_said_nothing
check_left_nothing
conclude "a wrong passphrase is not quoted"

# ---- keys that are wrong

sed '/^AGE/s/.\{6\}$/QQQQQQ/' "$secrets/age" >"$secrets/altered"
sed 4,5d "$secrets/ed25519" >"$secrets/cut"
{ grep -h AGE "$secrets/age" | tr 'A-Z' 'a-z'; } >"$secrets/lower"
tr 'A-Z' 'a-z' <"$work/canaries" >>"$work/canaries.lower"
cat "$work/canaries.lower" >>"$work/canaries" && rm "$work/canaries.lower"
ssh-keygen -q -t ed25519 -N "$passphrase" -C '' -f "$secrets/encrypted"
for kind in altered cut lower encrypted ed25519.pub; do
  for format in '' '-o json'; do
    rm -f "$eof"
    run restore "${storage[@]}" "${common[@]}" --key the-key-age --identity "$secrets/$kind" -v $([ -z "$format" ] || echo -o json) \
      --env BO_TEST_MARK -- "${reader[@]}"
    [ "$status" -ne 0 ] || problem "it succeeds"
    check_no_eof
    check_said_nothing
    check_left_nothing
    conclude "an identity that is wrong ($kind) is not quoted${format:+, $format}"
  done
done
for option in --recipient "--secret-file token" --param; do
  run backup "${storage[@]}" "${common[@]}" --key k $option="$(grep AGE-SECRET "$secrets/age")" --env BO_TEST_MARK -- echo data
  [ "$status" -ne 0 ] || problem "it succeeds"
  check_no_key
  case $option in --recipient) check_said_nothing ;; esac
  rm -f "$work/out" "$work/err"
  check_left_nothing
  conclude "an identity given to $option is refused"
done

# ---- manifests: the identity, a variable from a Secret, a variable that is written out

recipient=$(recipient_of age)
cat >"$secrets/run.yaml" <<YAML
apiVersion: backup-operator.io/v1
kind: BackupStorage
metadata: {name: disk}
spec:
  type: file
  parameters: {path: $store}
  credentials: {name: keys, namespace: default}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
  age: "$(grep AGE-SECRET "$secrets/age")"
  word: $env_secret
  token: $storage_secret
---
apiVersion: backup-operator.io/v1
kind: BackupRun
metadata: {name: shop}
spec:
  storage: {name: disk, path: /shop}
  compression: {algorithm: gzip}
  encryption:
    recipients: [$recipient]
    decryptionKey: {name: keys, key: age}
  backup:
    command: [/bin/sh, -c, 'test -n "\$WORD" || exit 1; cat "\$DATA"; : >"\$READ"; while [ ! -e "\$GO" ]; do sleep 0.05; done']
  restore:
    command: [/bin/sh, -c, '${pausing//$'\n'/ }', sh, $work/read, $work/on, $eof, $work/end]
  template:
    spec:
      containers:
      - name: main
        env:
        - {name: BO_TEST_MARK, value: $work}
        - {name: DATA, value: $work/data}
        - {name: READ, value: $work/read}
        - {name: GO, value: $work/on}
        - {name: LITERAL, value: $env_literal}
        - {name: WORD, valueFrom: {secretKeyRef: {name: keys, key: word}}}
YAML
chmod 600 "$secrets/run.yaml"

for command in backup restore; do
  fresh
  start "$command" -f "$secrets/run.yaml" "${common[@]}" -v
  wait_for "$work/read"
  check_processes
  grep -qszF "WORD=$env_secret" /proc/[0-9]*/environ || problem "the command has no variable WORD"
  check_memory "while the command runs" --age "$secrets/age"
  : >"$work/on" >"$work/end"
  finish
  check_status 0
  conclude "$command -f: nowhere but in the command's own environment"
done
for arguments in "status ${common[*]}" "status shop ${common[*]}" "status -o json ${common[*]}" "validate -f $secrets/run.yaml" \
  "verify -f $secrets/run.yaml -v -o json ${common[*]}"; do
  run $arguments
  check_status 0
  check_said_nothing
  check_left_nothing
  conclude "${arguments//$work/...} shows none"
done

sed -e "s/word: .*/word: [$env_secret]/" -e "s/age: \"/age: {x: \"/;s/^\(  age: .*\)\$/\1}/" "$secrets/run.yaml" >"$secrets/bad.yaml"
run validate -f "$secrets/bad.yaml"
check_status 1
check_said_nothing
conclude "what is wrong with a Secret is said without it"
printf '%s\n' 'apiVersion: v1' 'kind: Secret' 'metadata: {name: keys}' 'stringData:' "  a: \"$env_secret" >"$secrets/bad.yaml"
run validate -f "$secrets/bad.yaml"
check_status 1
check_said_nothing
printf '%s\n' 'apiVersion: v1' 'kind: Secret' 'metadata: {name: keys}' 'data:' "  a: $env_secret" >"$secrets/bad.yaml"
run validate -f "$secrets/bad.yaml"
check_status 1
check_said_nothing
conclude "what is not YAML or base64 is said without quoting it"

# ---- killed in the middle: what is left behind has none either

for signal in KILL SEGV ABRT; do
  for victim in backup-runner backupctl; do
    fresh
    (cd "$work/tmp" && exec env TMPDIR="$work/tmp" BO_TEST_MARK="$work" "$work/bin/backupctl" restore -f "$secrets/run.yaml" \
      "${common[@]}" -v >"$work/out" 2>"$work/err" </dev/null) &
    pid=$!
    wait_for "$work/read"
    if [ "$victim" = backupctl ]; then kill -"$signal" "$pid"; else kill -"$signal" "$(runner_pid)"; fi
    finish 2>/dev/null
    [ "$status" -ne 0 ] || problem "it succeeds"
    check_no_eof
    rm -rf "$work"/tmp/*
    conclude "SIG$signal ends $victim in a restore: no secret and no core is left"
  done
done
