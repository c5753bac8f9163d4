#!/usr/bin/env bash
# A restore succeeds only when the object is proven whole and the command has taken it all; else the command never sees
# the end of its stdin. Each damage is tried with the backup's record, without it, and checked before the command starts.
. "${BASH_SOURCE%/*}/lib.sh"

# ---- commands that fail

noise 3000000 >"$work/data"
backup -- cat "$work/data"
check_status 0
conclude "a backup to restore from"

restore -- "${reader[@]}"
check_status 0
[ -e "$eof" ] || problem "the command's stdin was not ended"
conclude "its restore: the command sees the end of its stdin"

restore -- sh -c 'cat >"$1"' sh "$work/back"
check_status 0
cmp "$work/data" "$work/back" || problem "other data came back"
conclude "the data come back"

restore_fails "a command that exits with status 1 at once" 1 'FAILED k: command: .*\(exit status 1\)' -- sh -c 'exit 1'
restore_fails "a command that exits with status 1 after its input" 1 'FAILED k: command: .*exited with status 1' \
  -- sh -c 'cat >/dev/null; exit 1'
restore_fails "a command that is killed" 1 'FAILED k: command: .*killed by signal 9' -- sh -c 'kill -KILL $$'
restore_fails "a command that is not there" 1 'no-such-command' -- no-such-command
restore_fails "a command that exits with status 0 without reading its stdin" 1 'FAILED k: command: ' -- true
restore_fails "a command that exits with status 0 before it has read everything" 1 'FAILED k: command: ' \
  -- sh -c 'head -c 100000 >/dev/null'
restore_fails "a command that never reads its stdin" 1 'FAILED k: command: the deadline of 2 s' \
  --deadline 2s -- sleep 600
restore_fails "a command that closes its stdin and lives on" 1 'FAILED k: command: ' --deadline 2s \
  -- sh -c 'exec <&-; sleep 600'
restore_fails "a command that stops reading in the middle" 1 'FAILED k: command: the deadline of 2 s' \
  --deadline 2s -- sh -c 'head -c 100000 >/dev/null; sleep 600; cat'

# Here all has come and is proven, so stdin was rightly ended.
remember_files
restore --deadline 2s -- sh -c 'cat >/dev/null; sleep 600'
check_status 1
check_said 'FAILED k: command: the deadline of 2 s'
check_files
check_gone
conclude "a command that sleeps past its deadline after its input"

restore_fails "a command that leaves a daemon behind that holds stdin unread" 1 'FAILED k: command: ' \
  --deadline 20s -- sh -c 'setsid sleep 600 & exit 0'

restore -- sh -c 'cat >/dev/null; setsid sleep 600 & exit 0'
check_status 0
check_gone
conclude "a daemon that is left behind by a whole restore is ended with its workload"

restore_fails "a command that writes 64 MB to stderr and fails" 1 'FAILED k: command: .*\(exit status 3\)' \
  -- sh -c 'yes error | head -c 67108864 >&2; echo >&2; echo the end >&2; exit 3'
grep -q '| the end' "$work/err" || problem "its last words are not shown"
conclude "of 64 MB of stderr the last words are shown"

restore -- sh -c 'yes error | head -c 67108864 >&2; cat >/dev/null'
check_status 0
check_gone
conclude "a command that writes 64 MB to stderr before it reads"

restore -- sh -c 'yes output | head -c 67108864; cat >/dev/null'
check_status 0
check_gone
conclude "a command that writes 64 MB to stdout before it reads"

# Less than fits into a pipe: the kernel has taken it, the command has not.
run backup "${storage[@]}" "${common[@]}" --key small -- echo data
remember_files
run restore "${storage[@]}" "${common[@]}" --key small --env BO_TEST_MARK -- sleep 1
check_status 1
check_said 'without reading the last 5 bytes'
check_files
check_gone
conclude "a command that exits with status 0 while five bytes lie in its pipe"

# ---- objects that are not what was backed up

cp "$store/k" "$work/good"
size=$(stat -c %s "$work/good")

# damaged TEXT PATTERN...: the object at the key is bad: with a record, with none, verified first, and by itself.
damaged() {
  local text=$1 with_record=$2 without=$3
  restore_fails "$text" 3 "$with_record" -- "${reader[@]}"
  restore_fails "$text, verified first" 3 "$with_record" --verify-first -- "${reader[@]}"
  if [ -n "$without" ]; then
    restore_fails "$text, without a record" 3 "$without" --no-record -- "${reader[@]}"
    restore_fails "$text, without a record, verified first" 3 "$without" --no-record --verify-first -- "${reader[@]}"
  fi
  run verify "${storage[@]}" "${common[@]}" --key k
  check_status 3
  check_said "$with_record"
  conclude "$text: verify finds it"
  run cat "${storage[@]}" "${common[@]}" --key k -o "$work/out-file"
  check_status 3
  [ "$(ls "$work" | grep -c out-file)" -eq 0 ] || problem "a file has appeared"
  conclude "$text: cat says so, and no file appears"
}

other_run='written by another run|was written by run|the backup recorded|is of run'
head -c $((size - 1)) "$work/good" >"$store/k"
damaged "an object that lacks its last byte" 'FAILED k: storage: .*recorded' 'FAILED k: decompress: .*truncated: '

head -c $((size / 2)) "$work/good" >"$store/k"
damaged "half an object" 'FAILED k: storage: .*recorded' 'FAILED k: decompress: .*truncated: '

: >"$store/k"
damaged "an empty object" 'FAILED k: storage: .*recorded' 'FAILED k: decompress: '

{ cat "$work/good"; printf x; } >"$store/k"
damaged "an object with a byte more" 'FAILED k: storage: .*recorded' 'FAILED k: decompress: '

{ cat "$work/good"; echo more | gzip; } >"$store/k"
damaged "an object with another valid one behind it" 'FAILED k: storage: .*recorded' ''

flip() { # OFFSET
  cp "$work/good" "$store/k"
  local byte
  byte=$(od -An -tu1 -j "$1" -N 1 "$store/k")
  printf "\\x$(printf %02x $((byte ^ 16)))" | dd of="$store/k" bs=1 seek="$1" conv=notrunc status=none
}
for offset in $((size / 2)) $((size - 6)) $((size - 2)); do
  flip "$offset"
  damaged "an object with a bit flipped at $offset of $size" 'FAILED k: (decompress|command|verify|output|storage): ' 'FAILED k: decompress: '
done

# Of the same length, and whole by itself: only the record can tell.
head -c 3000000 /dev/urandom >"$work/data2"
gzip -1 <"$work/data2" >"$store/k"
damaged "another valid object by hand" 'recorded' ''

run backup --storage file --param "path=$store" --state "$work/state2" --key k -- cat "$work/data2"
damaged "another valid object by another run" "$other_run" ''
cp "$work/good" "$store/k"

restore --no-record -- "${reader[@]}"
check_status 0
grep -q "proof .*the format's own checks" "$work/out" || problem "the proof is not the format's"
conclude "the good object again, without its metadata and record: proven by its format"

backup --compress none -- cat "$work/data"
cp "$store/k" "$work/good"
head -c 2999999 "$work/good" >"$store/k"
damaged "an uncompressed object that lacks its last byte" 'FAILED k: storage: .*recorded' ''
flip_at=1500000
cp "$work/good" "$store/k"
printf '\xff\x00\xff' | dd of="$store/k" bs=1 seek=$flip_at conv=notrunc status=none
damaged "an uncompressed object that was altered" "SHA-256 is not the one" ''

rm "$store/k"
restore_fails "an object that is not there" 1 'FAILED k: storage: ' -- "${reader[@]}"
