#!/usr/bin/env bash
# Encryption, end to end: what `age` and this read of each other; every damage is noticed before a restore's command sees
# the end of its stdin; and what makes a backup or a restore fail does so with gzip and age in the chain, too.
# KILL_ROUNDS (default 20) is how often the runner is killed in a backup and in a restore each.
. "${BASH_SOURCE%/*}/lib.sh"
use_faulty_plugins

keys=$work/keys
mkdir "$keys"
age-keygen -o "$keys/age" 2>/dev/null
age-keygen -y "$keys/age" >"$keys/age.pub"
age-keygen -o "$keys/other" 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$keys/ed25519"
ssh-keygen -q -t rsa -b 3072 -N '' -f "$keys/rsa"
ssh-keygen -q -t rsa -b 2048 -N '' -m PEM -f "$keys/rsa-pem"
ssh-keygen -q -t ed25519 -N 'a passphrase' -f "$keys/locked"
ssh-keygen -q -t ecdsa -N '' -f "$keys/ecdsa"
to=(--recipient "$(cat "$keys/age.pub")")
with=(--identity "$keys/age")
noise 300000 >"$work/data"

# decode OBJECT [OPTION...]: as `run` does it, with the object on stdin and $work/decoded to come.
decode() {
  rm -f "$work/decoded"
  "$work/bin/backupctl" decode -o "$work/decoded" "${@:2}" >"$work/out" 2>"$work/err" <"$1"
  status=$?
}

# ---- both ways with the age command

for kind in age ed25519 rsa rsa-pem; do
  backup --recipient "$(cat "$keys/$kind.pub")" -- cat "$work/data"
  check_status 0
  age -d -i "$keys/$kind" <"$store/k" | gunzip | cmp - "$work/data" || problem "age and gunzip do not read it"
  restore --identity "$keys/$kind" -- sh -c 'cat >"$1"' sh "$work/back"
  check_status 0
  cmp "$work/data" "$work/back" || problem "other data came back"
  check_gone
  conclude "a backup to a key of the kind $kind: age reads it, and so do we"

  for armor in '' -a; do
    gzip -1 <"$work/data" | age $armor -R "$keys/$kind.pub" >"$store/theirs"
    decode "$store/theirs" --identity "$keys/$kind"
    check_status 0
    cmp "$work/data" "$work/decoded" || problem "decode makes other data of it"
    run restore "${storage[@]}" --no-record --key theirs --identity "$keys/other" --identity "$keys/$kind" --env BO_TEST_MARK \
      -- sh -c 'cat >"$1"; : >"$2"' sh "$work/back" "$eof"
    check_status 0
    cmp "$work/data" "$work/back" || problem "other data came back"
    conclude "what age writes${armor:+ in armor} to a key of the kind $kind is restored"
  done
done

printf '%s\n' '# who may read' '' "  $(cat "$keys/age.pub")  " "$(cat "$keys/rsa.pub")" >"$keys/list"
backup --recipients-file "$keys/list" --recipient "$(cat "$keys/ed25519.pub")" -- cat "$work/data"
check_status 0
for kind in age rsa ed25519; do
  age -d -i "$keys/$kind" <"$store/k" | gunzip | cmp - "$work/data" || problem "$kind does not read it"
done
restore --identity "$keys/rsa-pem" -- "${reader[@]}"
check_status 1
conclude "several recipients, from a list with comments: each alone reads it, and no other"

{ for ((i = 0; i < 999; i++)); do age-keygen 2>/dev/null; done | grep -o 'age1.*'; cat "$keys/age.pub"; } >"$keys/thousand"
backup --recipients-file "$keys/thousand" -- cat "$work/data"
check_status 0
[ "$(head -n 2002 "$store/k" | grep -ac '^-> X25519')" -eq 1000 ] || problem "there are not 1000 stanzas"
age -d -i "$keys/age" <"$store/k" | gunzip | cmp - "$work/data" || problem "age does not read it"
restore "${with[@]}" -- "${reader[@]}"
check_status 0
check_gone
conclude "a header with 1000 stanzas"
remember_files
mapfile -t lists < <(for ((i = 0; i < 12; i++)); do printf -- '--recipients-file\n%s\n' "$keys/thousand"; done)
backup "${lists[@]}" -- cat "$work/data"
check_status 2
check_said 'FAILED k: encrypt: .*give fewer recipients'
check_files
conclude "a header with 12000 stanzas is refused, with its reason"

# ---- recipients and keys that are none

rm -f "$store"/*
good=$(cat "$keys/age.pub")
refuses_recipient() { # TEXT RECIPIENT PATTERN
  remember_files
  backup --recipient "$2" -- cat "$work/data"
  check_status "${4:-2}"
  check_said "FAILED k: encrypt: .*$3"
  check_files
  check_gone
  conclude "a recipient that is none: $1"
}
refuses_recipient "nothing" '' 'no recipient'
refuses_recipient "only a comment" '# nobody' 'no recipient'
refuses_recipient "a word" 'shop' 'none of age1'
refuses_recipient "one character other" "${good:0:20}$([ "${good:20:1}" = q ] && echo p || echo q)${good:21}" 'recipient 1'
refuses_recipient "one character less" "${good%?}" 'recipient 1'
refuses_recipient "upper and lower case" "${good:0:30}$(tr a-z A-Z <<<"${good:30}")" 'recipient 1'
refuses_recipient "two in a line" "$good $good" 'recipient 1'
refuses_recipient "a good one and a bad one" "$good"$'\nage1bad' 'recipient 1, line 2'
refuses_recipient "post-quantum" 'age1pq1qqqq' 'recipient 1.*ML-KEM' 1
refuses_recipient "an age plugin's" 'age1yubikey1qqqqqqqqqqq' 'recipient 1.*plugin' 1
refuses_recipient "a private age key" "$(grep AGE "$keys/age")" 'private key' 1
refuses_recipient "a private SSH key" "$(cat "$keys/ed25519")" 'private key' 1
refuses_recipient "an ECDSA key" "$(cat "$keys/ecdsa.pub")" 'recipient 1' 1
refuses_recipient "half an SSH key" "$(cut -c 1-60 "$keys/rsa.pub")" 'recipient 1'
refuses_recipient "somebody's name at GitHub" 'github:somebody' 'network' 1

backup "${to[@]}" -- cat "$work/data"
restore_fails "no identity" 2 'encrypted with age: give the key with --identity' -- "${reader[@]}"
restore_fails "no identity that matches" 1 'FAILED k: decrypt: .*none of the keys given \(2\) opens the file.* 1 recipient' \
  --identity "$keys/other" --identity "$keys/rsa" -- "${reader[@]}"
restore_fails "no identity that matches, verified first" 1 'FAILED k: decrypt: .*none of the keys' --verify-first \
  --identity "$keys/other" -- "${reader[@]}"
restore_fails "a passphrase for what has recipients" 1 'FAILED k: decrypt: .*none of the keys' \
  --passphrase-file "$keys/age.pub" -- "${reader[@]}"
restore_fails "an SSH key that is encrypted itself" 1 'FAILED k: decrypt: .*passphrase.*ssh-keygen' --identity "$keys/locked" -- "${reader[@]}"
restore_fails "an ECDSA key" 1 'FAILED k: decrypt: .*identity 1' --identity "$keys/ecdsa" -- "${reader[@]}"
restore_fails "a public key" 1 'FAILED k: decrypt: .*public key' --identity "$keys/age.pub" -- "${reader[@]}"
restore_fails "a file without a key" 2 'FAILED k: decrypt: .*holds no key' --identity <(echo '# nothing') -- "${reader[@]}"
restore_fails "a key file that is not there" 1 'nowhere' --identity "$keys/nowhere" -- "${reader[@]}"

vectors=${BASH_SOURCE%/*}/../vectors/age
sed '1,/^$/d' "$vectors/cctv/scrypt" >"$store/locked"
echo wrong >"$keys/passphrase"
remember_files
run restore "${storage[@]}" --no-record --key locked --compress none --passphrase-file "$keys/passphrase" --env BO_TEST_MARK -- "${reader[@]}"
check_status 1
check_said 'FAILED locked: decrypt: .*passphrase; the one given is wrong'
check_no_eof
check_files
conclude "a wrong passphrase"
sed -n 's/^passphrase: //p' "$vectors/cctv/scrypt" >"$keys/passphrase"
run restore "${storage[@]}" --no-record --key locked --compress none --passphrase-file "$keys/passphrase" --env BO_TEST_MARK -- "${reader[@]}"
check_status 0
conclude "the right one"
rm "$store/locked"

# ---- damage: each with the backup's record, without one, and before the command starts

backup "${to[@]}" -- cat "$work/data"
cp "$store/k" "$work/good"
cat >"$work/damage.py" <<'PYTHON'
# damage.py GOOD NAME: the object GOOD with one damage, on stdout. A chunk has 65536 bytes and a tag of 16.
import sys
good = open(sys.argv[1], "rb").read()
end = good.index(b"\n", good.index(b"\n--- ") + 1) + 1
header, nonce, payload = good[:end], good[end:end + 16], good[end + 16:]
chunks = [payload[i:i + 65552] for i in range(0, len(payload), 65552)]
assert len(chunks) >= 4 and len(chunks[-1]) < 65552
lines = header.split(b"\n")
flip = lambda data, at: data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
other = lambda character: b"B" if character == b"A" else b"A"
payloads = {
    "the last chunk is missing": chunks[:-1],
    "the first chunk is missing": chunks[1:],
    "a chunk in the middle is missing": chunks[:1] + chunks[2:],
    "a chunk in the middle is cut": [chunks[0], chunks[1][:-100]] + chunks[2:],
    "the last chunk is cut": chunks[:-1] + [chunks[-1][:-1]],
    "the last chunk has only its tag": chunks[:-1] + [chunks[-1][-16:]],
    "two chunks are swapped": [chunks[1], chunks[0]] + chunks[2:],
    "a chunk is repeated": chunks[:2] + chunks[1:],
    "the last chunk is repeated": chunks + chunks[-1:],
    "the last chunk is extended": chunks + [b"\0"],
    "a whole chunk follows the last": chunks + chunks[:1],
    "a chunk of zeros follows the last": chunks + [bytes(65552)],
    "an empty chunk follows the last": chunks + [bytes(16)],
    "another whole file follows": chunks + [good],
    "there is no payload": [],
    "the first chunk is altered": [flip(chunks[0], 1000)] + chunks[1:],
    "a tag in the middle is altered": [chunks[0], flip(chunks[1], 65550)] + chunks[2:],
    "the last byte is altered": chunks[:-1] + [flip(chunks[-1], len(chunks[-1]) - 1)],
}
headers = {
    "the header's MAC is altered": lines[:-2] + [lines[-2][:10] + other(lines[-2][10:11]) + lines[-2][11:]] + [b""],
    "the header's MAC is missing": lines[:-2] + [b"---"] + [b""],
    "there is no stanza": lines[:1] + lines[-2:],
    "a stanza is repeated": lines[:-2] + lines[1:-2] + lines[-2:],
    "a foreign stanza is added": lines[:-2] + [b"-> foreign", b""] + lines[-2:],
    "the version is another": [b"age-encryption.org/v2"] + lines[1:],
    "it ends in the header": None,
    "the header is missing": [],
}
name = sys.argv[2]
if name == "list":
    print("\n".join([*payloads, *headers, "the nonce is altered"]))
elif name == "it ends in the header":
    sys.stdout.buffer.write(header[:-20])
elif name == "the nonce is altered":
    sys.stdout.buffer.write(header + flip(nonce, 3) + payload)
elif name in headers:
    sys.stdout.buffer.write(b"\n".join(headers[name]) + nonce + payload)
else:
    sys.stdout.buffer.write(header + nonce + b"".join(payloads[name]))
PYTHON
while read -r damage; do
  python3 "$work/damage.py" "$work/good" "$damage" >"$store/k"
  cmp -s "$work/good" "$store/k" && problem "the damage is none"
  restore_fails "$damage" 3 'FAILED k: (storage|decrypt): ' "${with[@]}" -- "${reader[@]}"
  restore_fails "$damage: without a record" 3 'FAILED k: decrypt: ' --no-record "${with[@]}" -- "${reader[@]}"
  restore_fails "$damage: verified first" 3 'FAILED k: decrypt: ' --no-record --verify-first "${with[@]}" -- "${reader[@]}"
  age -d -i "$keys/age" <"$store/k" >"$work/back" 2>/dev/null && problem "age itself notices nothing"
  decode "$store/k" "${with[@]}"
  check_status 3
  check_said 'FAILED: decrypt: '
  [ ! -e "$work/decoded" ] || problem "a file has appeared"
  conclude "$damage: age finds it too, and decode makes no file"
done < <(python3 "$work/damage.py" "$work/good" list)

# Whole and authentic, but not this one: only the record tells.
noise 300000 | tac >"$work/data2"
gzip -1 <"$work/data2" | age -R "$keys/age.pub" >"$store/k"
restore_fails "another object to the same recipient" 3 'FAILED k: .*recorded' "${with[@]}" -- "${reader[@]}"
age -R "$keys/age.pub" <"$work/data" >"$store/k"
restore_fails "an object that is not compressed" 3 'FAILED k: decompress: ' --no-record --compress gzip "${with[@]}" -- "${reader[@]}"
gzip -1 <"$work/data" | head -c 250000 | age -R "$keys/age.pub" >"$store/k"
restore_fails "an object that was cut before it was encrypted" 3 'FAILED k: decompress: .*truncated' --no-record "${with[@]}" -- "${reader[@]}"
cp "$work/good" "$store/k"

# ---- a small object: each of its prefixes, each bit, each byte behind it; and the vectors of age's own project

echo 'some data' | gzip -n | age -R "$keys/age.pub" >"$work/small"
cat >"$work/decode_all.py" <<'PYTHON'
# decode_all.py BACKUPCTL WHAT FILE OPTION...: decodes what FILE becomes; complains of all that is not noticed.
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
program, what, path, *options = sys.argv[1:]
good = open(path, "rb").read()
variants = {
    "prefix": lambda: ((f"the first {n} of {len(good)} bytes", good[:n]) for n in range(len(good))),
    "bit": lambda: ((f"bit {bit} of byte {at}", good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1:])
                    for at in range(len(good)) for bit in range(8)),
    "suffix": lambda: ((f"a byte {byte} more", good + bytes([byte])) for byte in range(256)),
    "missing": lambda: ((f"byte {at} is missing", good[:at] + good[at + 1:]) for at in range(len(good))),
}


def check(variant):
    name, data = variant
    done = subprocess.run([program, "decode", *options], input=data, capture_output=True)
    if done.returncode not in (1, 3):
        return f"{name}: exit status {done.returncode}"
    if b"decrypt: " not in done.stderr:
        return f"{name}: {done.stderr[:200]}"
    return f"{name}: {len(done.stdout)} bytes on stdout" if done.stdout else None


assert subprocess.run([program, "decode", *options], input=good, capture_output=True).stdout == b"some data\n"
tried = 0
with ThreadPoolExecutor(2) as pool:
    for wrong in pool.map(check, variants[what]()):
        tried += 1
        if wrong:
            print(wrong)
print(f"tried {tried}", file=sys.stderr)
PYTHON
for what in prefix suffix missing bit; do
  python3 "$work/decode_all.py" "$work/bin/backupctl" "$what" "$work/small" "${with[@]}" >"$work/out" 2>"$work/err"
  [ ! -s "$work/out" ] || problem "not noticed: $(head -n 3 "$work/out")"
  tried=$(grep -o 'tried [0-9]*' "$work/err") || problem "nothing was tried"
  conclude "every $what of a small object is noticed (${tried#tried })"
done

cat >"$work/vectors.py" <<'PYTHON'
# Each vector of C2SP/CCTV through `backupctl decode`: exit status and data as it expects.
import hashlib, json, os, subprocess, sys, tempfile, zlib
program, folder = sys.argv[1:]
for entry in json.load(open(f"{folder}/cctv-index.json")):
    text, body = open(f"{folder}/{entry['file']}", "rb").read().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in text.decode().split("\n"))
    if fields.get("compressed") == "zlib":
        body = zlib.decompress(body)
    options = ["--compress", "none"]
    if not entry["identities"] and not entry["passphrases"]:
        continue  # empty files: without a key nothing is taken for encrypted
    with tempfile.TemporaryDirectory() as keys:
        for i, identity in enumerate(entry["identities"]):
            open(f"{keys}/{i}", "w").write(identity + "\n")
            options += ["--identity", f"{keys}/{i}"]
        for passphrase in entry["passphrases"][:1]:
            open(f"{keys}/passphrase", "w").write(passphrase)
            options += ["--passphrase-file", f"{keys}/passphrase"]
        done = subprocess.run([program, "decode", *options], input=body, capture_output=True)
    good = entry["expect"] == "success" and entry["needs"] in ("x25519", "scrypt")
    if good and (done.returncode != 0 or hashlib.sha256(done.stdout).hexdigest() != fields["payload"]):
        print(f"{entry['file']}: exit status {done.returncode}: {done.stderr[:200]}")
    if not good and done.returncode not in (1, 3):
        print(f"{entry['file']} ({entry['expect']}): exit status {done.returncode}: {done.stderr[:200]}")
PYTHON
python3 "$work/vectors.py" "$work/bin/backupctl" "$vectors" >"$work/out" 2>"$work/err"
[ ! -s "$work/out" ] && [ ! -s "$work/err" ] || problem "$(head -n 5 "$work/out" "$work/err")"
conclude "age's own vectors, an empty last chunk among them, end as they must"

# ---- what makes a backup fail, with gzip and age in the chain

rm -rf "$store"/* "$store/.backup-operator"
backup_fails "a command that exits with status 1 after its output" 1 'FAILED k: command: .*exited with status 1' "${to[@]}" \
  -- sh -c 'cat "$1"; exit 1' sh "$work/data"
backup_fails "a command that is killed after its output" 1 'FAILED k: command: .*signal 9' "${to[@]}" \
  -- sh -c 'cat "$1"; kill -KILL $$' sh "$work/data"
backup_fails "a command that is not there" 1 'no-such-command' "${to[@]}" -- no-such-command
backup_fails "a command that sleeps past its deadline" 1 'FAILED k: command: the deadline of 2 s' --deadline 2s "${to[@]}" \
  -- sh -c 'cat "$1"; sleep 600' sh "$work/data"
backup_fails "a command that closes its stdout and lives on" 1 'FAILED k: command: ' --deadline 2s "${to[@]}" \
  -- sh -c 'cat "$1"; exec >&-; sleep 600' sh "$work/data"
for fault in put-open-fails write-fails-at:2 commit-fails stat-wrong-size; do
  storage=(--storage faulty --param "path=$store" --param "fault=$fault")
  backup_fails "a storage that goes wrong by $fault" "$([ $fault = stat-wrong-size ] && echo 3 || echo 1)" 'FAILED k: storage: ' \
    "${to[@]}" -- cat "$work/data"
done
storage=(--storage file --param "path=$store")

# ---- and a restore

backup "${to[@]}" -- cat "$work/data"
restore_fails "a command that exits with status 1 at once" 1 'FAILED k: command: ' "${with[@]}" -- sh -c 'exit 1'
restore_fails "a command that exits with status 0 before it has read everything" 1 'FAILED k: command: ' "${with[@]}" \
  -- sh -c 'head -c 1000 >/dev/null'
restore_fails "a command that is killed" 1 'FAILED k: command: .*signal 9' "${with[@]}" -- sh -c 'cat >/dev/null; kill -KILL $$'
restore_fails "a command that never reads" 1 'FAILED k: command: the deadline of 2 s' --deadline 2s "${with[@]}" -- sleep 600
for fault in get-short get-long get-flips-at:2; do
  backup "${to[@]}" -- cat "$work/data"
  storage=(--storage faulty --param "path=$store" --param "fault=$fault")
  restore_fails "a storage that goes wrong by $fault" 3 'FAILED k: (storage|decrypt): ' --no-record "${with[@]}" -- "${reader[@]}"
  storage=(--storage file --param "path=$store")
done

# ---- the runner is killed at any moment

rounds=${KILL_ROUNDS:-20}
RANDOM=${KILL_SEED:-1}
noise 20000000 >"$work/data"
# kill_runner_within MS: the runner of `pid`, at a moment of the next MS, if there is still one.
kill_runner_within() {
  local victim
  while kill -0 "$pid" 2>/dev/null && [ -z "$(pgrep -P "$pid" -f "$work/bin/backup-runner")" ]; do sleep 0.01; done
  sleep "$(printf '0.%03d' $((RANDOM % ($1 > 800 ? 800 : $1) + 1)))"
  victim=$(pgrep -P "$pid" -f "$work/bin/backup-runner") && kill -KILL $victim 2>/dev/null
  wait "$pid"
  status=$?
  check_gone 5
}

backup "${to[@]}" -- cat "$work/data"
backup_ms=$elapsed_ms died=0
for ((round = 0; round < rounds; round++)); do
  rm -rf "$store"/k "$store/.backup-operator" "$work/state/records"
  start backup "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK "${to[@]}" -- cat "$work/data"
  kill_runner_within "$backup_ms"
  if [ "$status" -eq 0 ]; then
    age -d -i "$keys/age" <"$store/k" | gunzip | cmp -s - "$work/data" || problem "it says success, but the object is not the data"
  else
    died=$((died + 1))
    check_status 1
    check_said 'FAILED k: runner: backup-runner was ended by signal 9'
    [ -z "$(find "$store" -type f)" ] || problem "left in the storage: $(find "$store" -type f)"
  fi
  rm -rf "$work"/tmp/*
  [ -z "$problems" ] || break
done
[ "$died" -gt 0 ] || problem "it was never killed in time"
conclude "the runner is killed at $rounds random moments of a backup"

rm -rf "$store"/k "$store/.backup-operator" "$work/state/records"
backup "${to[@]}" -- cat "$work/data"
restore "${with[@]}" -- "${reader[@]}"
restore_ms=$elapsed_ms died=0
for ((round = 0; round < rounds; round++)); do
  rm -f "$eof" "$work/copy"
  start restore "${storage[@]}" "${common[@]}" --key k --env BO_TEST_MARK "${with[@]}" \
    -- sh -c 'cat >"$1" && : >"$2"' sh "$work/copy" "$eof"
  sleep 0.02 # the first runner only asks for the object's size
  kill_runner_within "$restore_ms"
  if [ -e "$eof" ] || [ "$status" -eq 0 ]; then
    cmp -s "$work/data" "$work/copy" || problem "the command took a part for the whole"
  fi
  [ "$status" -eq 0 ] || died=$((died + 1))
  rm -rf "$work"/tmp/*
  [ -z "$problems" ] || break
done
[ "$died" -gt 0 ] || problem "it was never killed in time"
conclude "the runner is killed at $rounds random moments of a restore"
