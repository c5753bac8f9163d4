#!/usr/bin/env bash
# A storage that fails, at any moment, makes a run fail at once, whatever its command does; and what it left half done
# is gone. The storage is the folder, wrapped by one that fails on purpose.
. "${BASH_SOURCE%/*}/lib.sh"
use_faulty_plugins

faulty() { storage=(--storage faulty --param "path=$store" --param "fault=$1"); }
# Prints some, and would go on for ten minutes.
slow=(sh -c 'head -c 3000000 /dev/urandom; sleep 600')
quick=(head -c 3000000 /dev/urandom)
at_once_ms=5000 # under a second on an idle machine; the command would last 600

# storage_fails FAULT PATTERN [STATUS] [OPTION...]: with a command that still writes.
storage_fails() {
  faulty "$1"
  remember_files
  backup --compress none "${@:4}" -- "${slow[@]}"
  check_status "${3:-1}"
  check_said "$2"
  check_files
  check_gone
  check_within "$at_once_ms"
  conclude "a storage that goes wrong by $1 ends a command that still writes, at once"
}

storage_fails open-fails 'storage: .*failed on purpose' 2
storage_fails put-open-fails 'FAILED k: storage: .*failed on purpose'
storage_fails write-fails-at:1 'FAILED k: storage: .*failed on purpose'
storage_fails write-fails-at:7 'FAILED k: storage: .*failed on purpose'
storage_fails write-retries-at:3 'FAILED k: storage: .*failed on purpose'
storage_fails nonsense:3 'FAILED k: storage: .*broke its contract'

for fault in commit-fails commit-undecided; do
  faulty "$fault"
  backup_fails "a storage that goes wrong by $fault" 1 'FAILED k: storage: .*failed on purpose' -- "${quick[@]}"
done

faulty stat-wrong-size
backup_fails "a storage that says after the commit that the object has another length" 3 \
  'FAILED k: storage: .* were written; it was removed' -- "${quick[@]}"

faulty stat-fails
remember_files
backup -- "${quick[@]}"
check_status 4
check_said 'FAILED k: storage: .*may exist'
grep -q 'nothing was stored' "$work/err" && problem "it says that nothing was stored"
check_gone
conclude "a storage that cannot be asked after the commit: undecided, and said so"
rm -rf "$store"/k "$store/.backup-operator" "$work/state"
mkdir "$work/state"

faulty commit-answer-lost
backup -- "${quick[@]}"
check_status 0
[ -f "$store/k" ] || problem "there is no object"
check_gone
conclude "a commit whose answer was lost is found out by asking"
rm -rf "$store"/k "$store/.backup-operator" "$work/state"
mkdir "$work/state"

faulty close-fails
backup_fails "a failed put that cannot be put away says so" 1 'exited with status 1' -- sh -c 'echo data; exit 1'

faulty hang-at-write:2
backup_fails "a storage that hangs until it is cancelled: the deadline" 1 'FAILED k: command: the deadline of 2 s' \
  --deadline 2s -- "${quick[@]}"
backup_fails "a storage that hangs until it is cancelled: the limit of a call" 1 \
  'FAILED k: storage: its plugin hangs: put_write' --call-timeout 2s -- "${quick[@]}"
faulty hang-at-commit
backup_fails "a storage that hangs in a commit" 1 'FAILED k: storage: its plugin hangs: put_commit' \
  --call-timeout 2s -- "${quick[@]}"

# ---- a full disk: a real one, small, seen by this process alone

full_disk() {
  storage=(--storage file --param "path=$work/small")
  mkdir -p "$work/small"
  mount -t tmpfs -o size=1m tmpfs "$work/small" || exit 1
  run backup "${storage[@]}" --state "$work/state" --compress none --key k --env BO_TEST_MARK -- "${slow[@]}"
  check_status 1
  check_said 'FAILED k: storage: .*No space left'
  check_within "$at_once_ms"
  [ -z "$(find "$work/small" -type f)" ] || problem "files are left: $(find "$work/small" -type f)"
  check_gone
  conclude "a full disk"
  run backup "${storage[@]}" --state "$work/state" --compress none --key k --env BO_TEST_MARK -- head -c 600000 /dev/urandom
  check_status 0
  conclude "the space is free again: a smaller backup fits"
  run backup "${storage[@]}" --state "$work/state" --compress none --key k --env BO_TEST_MARK -- head -c 600000 /dev/urandom
  check_status 1
  [ "$(stat -c %s "$work/small/k")" -eq 600000 ] || problem "the older object was harmed"
  conclude "a full disk while an object is replaced leaves the older one"
  umount "$work/small"
  exit "$failed"
}
# A mount namespace needs root; without, there is nothing to see.
export -f full_disk run start problem conclude now_ms check_status check_said check_within check_gone left_processes
if unshare -m true 2>/dev/null; then
  work=$work at_once_ms=$at_once_ms slow_command="${slow[2]}" unshare -m bash -c '
    failed=0 problems= common=() slow=(sh -c "$slow_command")
    full_disk' || failed=1
else
  echo "ok - # SKIP a full disk: mounting one needs root"
fi

# ---- restores

# The record belongs to the storage with its parameters, so the backup is made through the same, which stores well.
for fault in get-fails-at:1 get-fails-at:5 get-nonsense:2; do
  faulty "$fault"
  backup --compress none -- "${quick[@]}"
  restore_fails "a restore from a storage that goes wrong by $fault" 1 \
    'FAILED k: storage: .*(failed on purpose|broke its contract)' -- "${reader[@]}"
done
for fault in get-short get-long get-flips-at:4; do
  faulty "$fault"
  backup --compress none -- "${quick[@]}"
  restore_fails "a restore from a storage that goes wrong by $fault" 3 'FAILED k: ' -- "${reader[@]}"
  restore_fails "the same, verified first" 3 'FAILED k: ' --verify-first -- "${reader[@]}"
  [ "$fault" = get-flips-at:4 ] && backup -- "${quick[@]}" # only a format or a record can tell
  restore_fails "the same, without a record" 3 'FAILED k: ' --no-record -- "${reader[@]}"
done
faulty hang-at-get:3
restore_fails "a restore from a storage that hangs until it is cancelled" 1 'FAILED k: storage: its plugin hangs: get_read' \
  --call-timeout 2s -- "${reader[@]}"
faulty get-retries-at:3
restore -- "${reader[@]}"
check_status 0
[ -e "$eof" ] || problem "its stdin was not ended"
check_gone
conclude "a read that fails in passing is taken up where it was"
