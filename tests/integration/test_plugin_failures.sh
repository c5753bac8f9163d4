#!/usr/bin/env bash
# A plugin that crashes, hangs, answers nonsense or takes memory without end harms its own run and nothing else: the
# run fails with a reason, nothing of it is left, and the program that started it goes on.
. "${BASH_SOURCE%/*}/lib.sh"
use_faulty_plugins

faulty() { storage=(--storage faulty --param "path=$store" --param "fault=$1"); }
slow=(sh -c 'head -c 3000000 /dev/urandom; sleep 600')
quick=(head -c 3000000 /dev/urandom)
crashed='runner: backup-runner was ended by signal [0-9]+ .*crashed'
hangs='its plugin hangs'
leaks='(the leak on purpose|out of memory|no memory)'
if sanitized; then
  crashed='runner: backup-runner (was ended by signal|ended with status)'
fi
broken='broke its contract'

# ---- a codec, in both directions

compress_fails() { # FAULT PATTERN STATUS
  backup_fails "a codec that goes wrong by $1 in a backup" "$3" "FAILED k: $2" --call-timeout 2s --compress "faulty:$1" -- "${slow[@]}"
}
compress_fails open-fails 'compress: failed on purpose' 2
compress_fails fail-at:9 'compress: failed on purpose' 3
compress_fails fail-silently 'compress: ' 1
compress_fails crash:5 "$crashed" 1
compress_fails hang:5 "compress: $hangs" 1
compress_fails nonsense:5 "compress: .*$broken" 1
compress_fails nonsense-position:5 "compress: .*$broken" 1
compress_fails no-progress:5 "compress: .*$broken" 1
compress_fails done-early:5 "compress: .*$broken" 1
sanitized || compress_fails leak:5 "compress: $leaks" 1

# Reading: the level names the fault only when writing, so the runner is asked directly.
backup -- "${quick[@]}"
check_status 0
conclude "an object to read"

# decompress_fails FAULT PATTERN
decompress_fails() {
  rm -f "$eof"
  remember_files
  python3 - "$work" "$1" "$eof" <<'PYTHON' >"$work/spec"
import json, sys
work, fault, eof = sys.argv[1:]
print(json.dumps({
    "operation": "restore", "key": "k", "storage": {"plugin": "file", "parameters": {"path": work + "/store"}},
    "compression": {"plugin": "faulty", "parameters": {"fault": fault}}, "platform": {"plugin": "local"},
    "exec": {"argv": ["sh", "-c", "cat >/dev/null && : >\"$1\"", "reader", eof],
             "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "BO_TEST_MARK", "value": work}]}]}}},
    "limits": {"callSeconds": 2, "deadlineSeconds": 60}}))
PYTHON
  local begin
  begin=$(now_ms)
  BACKUP_PLUGIN_PATH=$work/plugins TMPDIR=$work/tmp BO_TEST_MARK=$work "$work/bin/backup-runner" --no-owner \
    <"$work/spec" >"$work/out" 2>"$work/err"
  status=$?
  elapsed_ms=$(($(now_ms) - begin))
  if [ "$2" = crash ]; then
    [ "$status" -ne 0 ] && ! grep -q '"type":"result"' "$work/out" || problem "it did not crash"
    check_gone 5 # who would put things away has died
    rm -rf "$work"/tmp/*
  else
    check_status 1
    tail -n 1 "$work/out" | python3 -c '
import json, re, sys
result = json.loads(sys.stdin.readline())
assert result["type"] == "result" and result["state"] == "failed" and result["stage"] == "decompress", result
assert re.search(sys.argv[1], result["message"]), result' "$2" 2>"$work/err" || problem "the result is another"
    check_files
    check_gone
  fi
  check_no_eof
  conclude "a codec that goes wrong by $1 in a restore"
}
decompress_fails open-fails 'failed on purpose'
decompress_fails fail-at:9 'failed on purpose'
decompress_fails fail-silently .
decompress_fails crash:5 crash
decompress_fails hang:5 "$hangs"
decompress_fails nonsense:5 "$broken"
decompress_fails nonsense-position:5 "$broken"
decompress_fails no-progress:5 "$broken"
decompress_fails done-early:5 "$broken"
sanitized || decompress_fails leak:5 "$leaks"

# ---- a storage

storage_fails() { # FAULT PATTERN STATUS
  faulty "$1"
  backup_fails "a storage that goes wrong by $1 in a backup" "$3" "$2" --compress none --call-timeout 2s -- "${slow[@]}"
}
rm -rf "$store"/k "$store/.backup-operator"
storage_fails crash-at-open "$crashed" 1
storage_fails hang-ignoring-cancel:4 "FAILED k: storage: $hangs: put_write" 1
sanitized || storage_fails leak:4 "FAILED k: storage: $leaks" 1

# The one that crashes leaves its folder with the token, until the put is discarded, which backupctl does.
storage_fails crash-at-write:4 "FAILED k: $crashed" 1
faulty crash-at-commit
backup_fails "a storage that crashes in the commit, before anything is visible" 1 "FAILED k: $crashed" -- "${quick[@]}"

faulty crash-after-commit
backup -- "${quick[@]}"
check_status 0
[ -f "$store/k" ] || problem "there is no object"
check_gone
conclude "a storage that crashes when the commit has happened: found out by asking"
run verify "${storage[@]}" "${common[@]}" --key k
check_status 0
grep -q 'proof .*recorded' "$work/out" || problem "it is not proven by the record"
conclude "that backup has its record, and verifies"

for fault in crash-at-get:3 hang-at-get-ignoring-cancel:3; do
  faulty "$fault"
  backup -- "${quick[@]}"
  restore_fails "a storage that goes wrong by $fault in a restore" 1 "FAILED k: ($crashed|storage: $hangs: get_read)" \
    --call-timeout 2s -- "${reader[@]}"
done

# ---- plugins that cannot be used are told apart, and the others are still listed

echo 'this is text' >"$work/plugins/compress-text.so"
run plugins
check_said 'compress-text.so'
grep -q '^compress  gzip' "$work/out" || problem "the good ones are not listed"
conclude "a file that is no plugin is named, and the others are listed"
