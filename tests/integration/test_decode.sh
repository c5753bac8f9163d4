#!/usr/bin/env bash
# An object without any configuration: what backupctl wrote, standard tools read, and the other way round; and whatever
# is not whole is an exit status other than 0, and no file.
. "${BASH_SOURCE%/*}/lib.sh"

noise 1000000 >"$work/noise"
{ cat "$work/noise"; seq 100000; } >"$work/data"
gzip <"$work/data" >"$work/data.gz"

decode() { # INPUT [OPTION...]
  local input=$1 begin
  shift
  begin=$(now_ms)
  BO_TEST_MARK=$work "$work/bin/backupctl" decode "$@" <"$input" >"$work/out" 2>"$work/err"
  status=$?
  elapsed_ms=$(($(now_ms) - begin))
}

for option in "" "--compression auto" "--compression gzip" "--compress gzip"; do
  decode "$work/data.gz" $option
  check_status 0
  cmp "$work/data" "$work/out" || problem "other data"
  conclude "a file of gzip(1) is decoded to stdout with ${option:-no option}"
done

decode "$work/data.gz" -o "$work/plain"
check_status 0
cmp "$work/data" "$work/plain" || problem "other data"
conclude "and into a file"

for option in "" "--compression none"; do
  decode "$work/data" $option
  check_status 0
  cmp "$work/data" "$work/out" || problem "other data"
  conclude "data that are not compressed pass as they are with ${option:-no option}"
done

mkfifo "$work/fifo"
cat "$work/data.gz" >"$work/fifo" &
decode "$work/fifo"
check_status 0
cmp "$work/data" "$work/out" || problem "other data"
conclude "from a pipe"

# ---- defects

size=$(stat -c %s "$work/data.gz")
defect() { # TEXT PATTERN OPTION...
  local text=$1 pattern=$2
  shift 2
  decode "$work/bad" "$@"
  check_status 3
  check_said "$pattern"
  rm -f "$work/plain"
  decode "$work/bad" -o "$work/plain" "$@"
  check_status 3
  check_said "$pattern"
  [ "$(ls "$work" | grep -c plain)" -eq 0 ] || problem "a file has appeared"
  conclude "decode finds $text"
}
for missing in 1 4 8 9 500000; do
  head -c $((size - missing)) "$work/data.gz" >"$work/bad"
  defect "$missing missing bytes" 'decompress: .*truncated'
done
{ cat "$work/data.gz"; printf x; } >"$work/bad"
defect "a byte too many" 'decompress: .*'
cp "$work/data.gz" "$work/bad"
printf '\xff\x00\xff\x00' | dd of="$work/bad" bs=1 seek=300000 conv=notrunc status=none
defect "altered bytes" 'decompress: '
: >"$work/bad"
defect "that there is nothing at all" 'decompress: '
defect "that there is nothing at all where gzip was to be" 'decompress: ' --compression gzip
cp "$work/data" "$work/bad"
defect "that it is not gzip" 'decompress: ' --compression gzip

printf 'age-encryption.org/v1\n-> X25519 abc\n' >"$work/bad"
decode "$work/bad"
[ "$status" -ne 0 ] || problem "encrypted data passed as plain"
check_said 'encrypted with age: give a key'
[ ! -s "$work/out" ] || problem "something was written"
conclude "encrypted data without a key do not pass as plain data"

# ---- outputs that fail

decode "$work/data.gz" -o "$work/no-such-folder/plain"
check_status 1
check_said 'no-such-folder'
conclude "an output folder that is not there"

BO_TEST_MARK=$work "$work/bin/backupctl" decode <"$work/data.gz" 2>"$work/err" | head -c 1000 >/dev/null
status=${PIPESTATUS[0]}
check_status 1
check_said 'output: '
check_gone
conclude "a reader that goes away"

BO_TEST_MARK=$work "$work/bin/backupctl" decode <"$work/data.gz" >/dev/full 2>"$work/err"
status=$?
check_status 1
check_said 'output: .*No space left'
conclude "a full output"

# ---- backupctl's own objects, by others' tools

backup -- cat "$work/data"
gunzip <"$store/k" | cmp - "$work/data" || problem "gunzip reads other data"
[ "$(grep -c 'gunzip < OBJECT' "$work/out")" -eq 1 ] || problem "the line that says how is missing"
conclude "gunzip reads a backup"
for level in -2 -1 0 1 9; do
  backup --compress "gzip:$level" -- cat "$work/data"
  check_status 0
  gunzip <"$store/k" | cmp - "$work/data" || problem "gunzip reads other data"
  restore -- cmp - "$work/data"
  check_status 0
  conclude "level $level: gunzip reads the backup, and it is restored"
done
